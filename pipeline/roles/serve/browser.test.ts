// For the functions that run in the page.
/// <reference lib="dom" />
import { createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { axeViolations, missingBrowser, openBrowser, type Page } from '../../testing/browser.ts'
import { liveBoard } from '../../testing/live-board.ts'
import { boards } from '../../../dashboards/all-boards.ts'
import { storeAlert, madeTransition } from '../detect/hand-made-alerts.ts'

/** A browser, an engine and a process beside each other are slow where other tests run too: as long as a test may take. */
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 220_000, interval: 50 })
const missing = await missingBrowser()
const tag = missing === undefined ? '' : `: ${missing}`

describe.skipIf(missing !== undefined)(`the live board in a browser${tag}`, async () => {
  if (missing !== undefined) return
  const board = await liveBoard('live_board')
  const browser = await openBrowser()
  afterAll(() => browser.close())
  const { http, serving } = await board.open({ everyMs: 200 })
  const firedAt = Date.UTC(2026, 10, 20, 3)
  beforeAll(async () => {
    await storeAlert(board.store, madeTransition('ad', firedAt, 0, 'pending'))
    await storeAlert(board.store, madeTransition('ad', firedAt, 1, 'firing'))
    await board.store.command(
      `INSERT INTO kpi_deltas (grain, bucket_at, dimension, value, block_at, plays) SELECT 'hour', fromUnixTimestamp64Milli({at:Int64}, 'UTC') AS at, 'app_version', '9.0.0', at, 1`,
      { at: firedAt },
    )
  })
  afterAll(() => http.close())
  afterEach(() => {
    answer()
    Object.assign(board.faults, { isAway: false, refuses: undefined, slow: undefined })
  })
  let answer = () => {}

  async function opened(query = '', looks: { dark?: boolean; width?: number; chinese?: boolean } = {}): Promise<Page> {
    const context = await browser.createBrowserContext()
    const page = await context.newPage()
    page.on('pageerror', (error) => broken.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) && broken.push(message.text()))
    await page.setViewport({ width: looks.width ?? 1440, height: 900 })
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: looks.dark === true ? 'dark' : 'light' }])
    if (looks.chinese === true) await page.evaluateOnNewDocument(() => localStorage.setItem('reelpulse-looks', '{"language":"zh"}'))
    await page.goto(`${http.url}/${query}`, { waitUntil: 'domcontentloaded' })
    return page
  }
  const broken: string[] = []
  const textOf = (page: Page, selector: string) => page.$eval(selector, (element) => element.textContent ?? '').catch(() => '')
  const filled = (page: Page) =>
    soon(() => page.$$eval('.panel', (all) => all.length > 0 && all.every((one) => one.getAttribute('aria-busy') === 'false'))).toBe(true)
  const close = (page: Page) => page.browserContext().close()

  test('new data is on the board without a reload', async () => {
    const page = await opened()
    await filled(page)
    await page.evaluate(() => Object.assign(globalThis, { isTheSamePage: true }))
    const before = await textOf(page, '[data-shows=open_minutes] tbody td')
    const users = await textOf(page, '[data-shows=users_by_tier] td')
    await board.goOn(5 * 60_000)
    await soon(() => textOf(page, '[data-shows=open_minutes] tbody td')).not.toBe(before)
    await soon(() => textOf(page, '[data-shows=users_by_tier] td')).not.toBe(users)
    expect(await page.evaluate(() => 'isTheSamePage' in globalThis)).toBe(true)
    expect(await textOf(page, '.pill')).toContain('data up to')
    await close(page)
  })

  test('a click leads from a KPI to its cells, to the users of one, to one user; and back', async () => {
    const page = await opened()
    await filled(page)
    const click = async (selector: string, board: string) => {
      await soon(() => page.$(selector)).not.toBe(null)
      await page.$eval(selector, (element) => (element as HTMLElement).click())
      await soon(() => new URL(page.url()).searchParams.get('board')).toBe(board)
    }
    await click('[data-shows=kpi_now] a', 'reelpulse-cells')
    await click('[data-shows=kpi_cells] a[href*="var-channel="]', 'reelpulse-users')
    const channel = new URL(page.url()).searchParams.get('var-channel')
    await soon(() => textOf(page, '.shown')).toContain(`channel ${channel}`)
    await click('[data-shows=users_list] a', 'reelpulse-user')
    const user = new URL(page.url()).searchParams.get('var-user_id')!
    await soon(() => textOf(page, '[data-shows=user_now]')).toContain(user)
    const shared = page.url()
    await page.goBack()
    await soon(() => page.$('[data-shows=users_list]')).not.toBe(null)
    await close(page)
    const other = await opened(new URL(shared).search)
    await soon(() => textOf(other, '[data-shows=user_now]')).toContain(user)
    await close(other)
  })

  test('a click on a line of a chart leads to the users of what it stands for', async () => {
    const page = await opened('?board=reelpulse-content')
    await filled(page)
    const line = await page.$eval('[data-shows=kpi_split] .legend a', (link) => link.getAttribute('href'))
    expect(line).toContain('board=reelpulse-users')
    const over = (await page.$('[data-shows=kpi_split] .u-over'))!
    await over.scrollIntoView()
    const box = (await over.boundingBox())!
    for (let y = 4; y < box.height && !page.url().includes('reelpulse-users'); y += 6) {
      await page.mouse.move(box.x + box.width - 30, box.y + y)
      await page.mouse.click(box.x + box.width - 30, box.y + y)
    }
    expect(page.url()).toContain('board=reelpulse-users')
    await close(page)
  })

  test('all of it can be reached and used with the keyboard', async () => {
    const page = await opened()
    await filled(page)
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? '')
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('To the board')
    const reach = async (text: string) => {
      for (let i = 0; i < 80 && (await focused()) !== text; i++) await page.keyboard.press('Tab')
      expect(await focused()).toBe(text)
    }
    await reach('6h')
    await page.keyboard.press('Enter')
    await soon(() => new URL(page.url()).searchParams.get('from')).toBe('now-6h')
    await filled(page)
    await reach('Table')
    await page.keyboard.press('Enter')
    await soon(() => page.$$eval('.lines table', (tables) => tables.length)).toBe(1)
    expect(await page.$eval('.lines table', (one) => one.querySelectorAll('tbody tr').length)).toBeGreaterThan(30)
    await close(page)
  })

  test('alerts and new versions are marked on charts, light and dark, and said as text in both languages', async () => {
    // The version is there from the very hour at which the range begins.
    const page = await opened(`?from=${firedAt - 60_000}&to=${firedAt + 3_600_000}`)
    await filled(page)
    await soon(() => textOf(page, '.marks summary')).toContain('1 alert 1 new version')
    await page.focus('.marks summary')
    await page.keyboard.press('Enter')
    const said = () => page.$$eval('.marks li', (all) => all.map((one) => one.textContent))
    expect(await said()).toEqual([
      expect.stringMatching(/^Completion rate · Channel ad.*still open$/),
      expect.stringMatching(/^Version 9\.0\.0/),
    ])
    expect(await textOf(page, '[data-shows=kpi_trend] p.hidden')).toContain('Marked on the charts: alert Completion rate · Channel ad (')
    // Of the canvas of a chart: where from left to right, in px, a red line goes down all of it.
    const lines = () => page.$eval('[data-shows=kpi_trend] canvas', redLines)
    await soon(lines).toHaveLength(1)
    const [left] = await lines()
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }])
    await soon(lines).toEqual([left])
    await page.$eval('[data-shows=kpi_trend] canvas', (canvas) => canvas.scrollIntoView({ block: 'center' }))
    const box = (await (await page.$('[data-shows=kpi_trend] canvas'))!.boundingBox())!
    await page.mouse.move(box.x + left! + 2, box.y + 60)
    await soon(() => textOf(page, '[data-shows=kpi_trend] .tip')).toContain('Completion rate · Channel ad')
    expect(await page.$$eval('.tip', (all) => all.length)).toBe(1)
    expect(await axeViolations(page)).toEqual([])
    await page.click('.looks button')
    await soon(() => textOf(page, '.marks li')).toContain('完播率 · 渠道 ad')
    expect(await textOf(page, '[data-shows=kpi_trend] p.hidden')).toContain('图中标记: 告警 完播率')
    await close(page)
  })

  test('eight tabs of one browser work: one that is hidden lets go of its stream at once, and goes on when it is shown', async () => {
    await soon(() => serving.streams()).toBe(0)
    const context = await browser.createBrowserContext()
    const pages: Page[] = []
    for (let i = 0; i < 8; i++) {
      const page = await context.newPage()
      pages.push(page)
      // At once, and not after some time.
      await page.evaluateOnNewDocument(() => {
        const real = globalThis.setTimeout
        globalThis.setTimeout = ((then: () => void, ms?: number) => ((ms ?? 0) >= 10_000 ? 0 : real(then, ms))) as typeof setTimeout
      })
      await page.goto(`${http.url}/?board=reelpulse-alerts`, { waitUntil: 'domcontentloaded' })
      await filled(page)
    }
    // Over HTTP/1.1 there are six connections for all of them.
    await soon(() => serving.streams()).toBe(1)
    const [first] = pages
    const before = await textOf(first!, '.pill span')
    await first!.bringToFront()
    await board.goOn(7 * 60_000)
    await soon(() => textOf(first!, '.pill span')).not.toBe(before)
    await soon(() => serving.streams()).toBe(1)
    await context.close()
    await soon(() => serving.streams()).toBe(0)
  })

  test.each(boards.map(({ uid }) => uid))(
    '%s: axe finds nothing wrong, light and dark, and on a phone nothing is wider than the screen',
    async (uid) => {
      const page = await opened(`?board=${uid}&from=now-24h&var-user_id=nobody`)
      await filled(page)
      expect(await axeViolations(page)).toEqual([])
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }])
      expect(await axeViolations(page)).toEqual([])
      await page.setViewport({ width: 375, height: 800 })
      await soon(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(375)
      expect(await axeViolations(page)).toEqual([])
      await close(page)
    },
  )

  test('the theme can be chosen against the system, and the language', async () => {
    const page = await opened()
    await filled(page)
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const light = await background()
    await page.select('.looks select', 'dark')
    await soon(background).not.toBe(light)
    await page.click('.looks button')
    await soon(() => textOf(page, '.tabs')).toContain('告警')
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('zh-CN')
    await page.reload()
    await soon(() => textOf(page, '.tabs')).toContain('告警')
    await close(page)
  })

  test('a range that cannot be shown is told on the board, with a way out', async () => {
    const page = await opened('?from=1700000000000&to=1600000000000')
    await soon(() => textOf(page, '.refusal')).toContain('ends before it begins')
    await page.click('.refusal a')
    await filled(page)
    await close(page)
    const long = await opened(`?from=${Date.UTC(2016, 0)}&to=${Date.UTC(2026, 0)}`)
    await soon(() => textOf(long, '.refusal')).toContain('longer than 400 days')
    await close(long)
  })

  test('a user who is not there is told as that', async () => {
    const page = await opened(`?board=reelpulse-user&var-user_id=${encodeURIComponent("nobody' OR 1=1 --")}`)
    await soon(() => textOf(page, '[data-shows=user_now]')).toContain("No user nobody' OR 1=1 -- is known")
    await close(page)
    const none = await opened('?board=reelpulse-user')
    await soon(() => textOf(none, '.refusal')).toContain('Give a user id')
    await close(none)
  })

  test('what is asked for and not there yet is seen as such', async () => {
    board.faults.slow = new Promise((resolve) => (answer = resolve))
    const page = await opened('?from=now-7d')
    await soon(() => page.$$eval('.skeleton', (all) => all.length)).toBeGreaterThan(5)
    expect(await axeViolations(page)).toEqual([])
    answer()
    board.faults.slow = undefined
    await filled(page)
    expect(await page.$('.skeleton')).toBe(null)
    await close(page)
  })

  test('a store that is away is told, with what was there before; and so is its return', async () => {
    const page = await opened()
    await filled(page)
    board.faults.isAway = true
    await soon(() => textOf(page, '.banner')).toContain('The store does not answer')
    expect(await textOf(page, '[data-shows=kpi_now]')).toMatch(/\d/)
    expect(await axeViolations(page)).toEqual([])
    board.faults.isAway = false
    await soon(() => page.$('.banner')).toBe(null)
    await close(page)
  })

  test('a question that the store does not answer spoils its own panel alone', async () => {
    board.faults.refuses = /FROM users GROUP BY|tier AS rung/
    const page = await opened('?from=now-24h')
    await soon(() => textOf(page, '[data-shows=users_by_tier] .fault')).toContain('The store does not answer')
    await soon(() => textOf(page, '[data-shows=open_minutes] tbody td')).not.toBe('')
    board.faults.refuses = undefined
    await soon(() => page.$('.fault')).toBe(null)
    await close(page)
  })

  test('data that has stopped coming is told, and a server that has gone; the board comes back with it', async () => {
    const startedAt = Date.now()
    // A minute goes by in a second.
    const clock = { now: () => startedAt + (Date.now() - startedAt) * 60, sleep: () => Promise.resolve() }
    const { http: slow } = await board.open({ everyMs: 100, clock })
    const page = await (await browser.createBrowserContext()).newPage()
    await page.goto(slow.url)
    await soon(() => textOf(page, '.pill')).toContain('No new data for')
    // It counts on; whoever hears it is told once.
    const [shown, heard] = [await textOf(page, '.pill'), await textOf(page, '.standing [role=status]')]
    await soon(() => textOf(page, '.pill')).not.toBe(shown)
    expect([heard.slice(0, 15), await textOf(page, '.standing [role=status]')]).toEqual(['No new data for', heard])
    await slow.close()
    await soon(() => textOf(page, '.banner')).toContain('Connection lost')
    // One that takes connections and says nothing is as good as gone.
    const connections: Socket[] = []
    const mute = createServer((socket) => void connections.push(socket)).listen(slow.port, '127.0.0.1')
    await page.evaluate(() => {
      const seen: boolean[] = []
      Object.assign(globalThis, { seen })
      new MutationObserver(() => seen.push(document.querySelector('.banner') !== null)).observe(document.body, {
        childList: true,
        subtree: true,
      })
    })
    await soon(() => connections.length).toBeGreaterThan(0)
    expect(await page.evaluate(() => (globalThis as unknown as { seen: boolean[] }).seen.every(Boolean))).toBe(true)
    expect(await textOf(page, '.banner')).toContain('Connection lost')
    for (const socket of connections) socket.destroy()
    await new Promise((resolve) => mute.close(resolve))
    const { http: again } = await board.open({ port: slow.port })
    await soon(() => page.$('.banner')).toBe(null)
    await filled(page)
    await again.close()
    await close(page)
  })

  test('one board too many is told so, and comes in when another has left', async () => {
    const { http: small } = await board.open({ maxStreams: 1 })
    const [first, second] = [await opened(), await opened()]
    await first.goto(small.url)
    await filled(first)
    await second.goto(small.url)
    await soon(() => textOf(second, '.refusal')).toContain('as many boards are open')
    await close(first)
    await filled(second)
    expect(await second.$('.refusal')).toBe(null)
    await close(second)
    await small.close()
  })

  test('an alert is taken on, noted and closed on the board', async () => {
    const page = await opened('?board=reelpulse-alerts&from=now-24h')
    const press = async (action: string, fields: Record<string, string>) => {
      await soon(() => page.$('[data-shows=open_alerts] td button')).not.toBe(null)
      await page.$eval('[data-shows=open_alerts] td button', (button) => button.click())
      for (const [name, value] of Object.entries(fields))
        await page.$eval(`dialog[open] [name=${name}]`, (field, value) => void ((field as HTMLInputElement).value = value), value)
      await page.$eval(`dialog[open] button[value=${action}]`, (button) => (button as HTMLElement).click())
    }
    await press('ack', { by: 'lin' })
    await soon(() => textOf(page, '[data-shows=open_alerts]')).toContain('taken on')
    await press('close', {})
    await soon(() => textOf(page, 'dialog[open] [role=alert]')).toContain('no root cause is written yet')
    expect(await axeViolations(page)).toEqual([])
    await page.$eval('dialog[open] [name=cause]', (field) => void ((field as HTMLTextAreaElement).value = '8.6.0 stalls'))
    await page.$eval('dialog[open] button[value=close]', (button) => (button as HTMLElement).click())
    await soon(() => textOf(page, '[data-shows=open_alerts]')).toContain('closed')
    await close(page)
  })

  test('of a filter with very many values one can be typed', async () => {
    await board.store.command(
      `INSERT INTO kpi_deltas (grain, bucket_at, dimension, value, block_at, plays)
      SELECT 'day', toDateTime64('2026-11-18 16:00:00', 3, 'UTC') AS at, 'app_version', concat('0.', toString(number)), at, 1 FROM numbers(300)`,
    )
    // What can be chosen is asked anew by a server of its own.
    const { http: fresh } = await board.open({ everyMs: 200 })
    const page = await opened()
    await page.goto(`${fresh.url}/?board=reelpulse-content`)
    await page.waitForSelector('input[list=values-app_version]')
    await filled(page)
    expect(await axeViolations(page)).toEqual([])
    await page.type('input[list=values-app_version]', '0.299')
    await page.keyboard.press('Enter')
    await soon(() => new URL(page.url()).searchParams.get('var-app_version')).toBe('0.299')
    expect(await page.$eval('input[list=values-app_version]', (input) => (input as HTMLInputElement).value)).toBe('0.299')
    await close(page)
    await fresh.close()
  })

  test('nothing went wrong in any page, and no policy was broken', () => {
    expect(broken.filter((line) => !/ERR_CONNECTION|Failed to load resource|ERR_INCOMPLETE_CHUNKED/.test(line))).toEqual([])
  })
})

/** In the page. */
function redLines(canvas: Element): number[] {
  const { width, height } = canvas as HTMLCanvasElement
  const { data } = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height)
  const isRed = (x: number, y: number) => {
    const i = (y * width + x) * 4
    return data[i + 3]! > 100 && data[i]! - Math.max(data[i + 1]!, data[i + 2]!) > 40
  }
  return Array.from({ length: width }, (_, x) => x).filter(
    (x) => Array.from({ length: height }, (_, y) => y).filter((y) => isRed(x, y)).length > height / 2,
  )
}
