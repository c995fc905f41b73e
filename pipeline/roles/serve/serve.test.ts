import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { boards } from '../../../dashboards/all-boards.ts'
import { metrics } from '../../metrics/registry.ts'
import { serveMetrics } from '../../metrics/serve-metrics.ts'
import { liveBoard } from '../../testing/live-board.ts'
import { soon } from '../../testing/soon.ts'
import { bundleBoard } from './bundle.ts'
import { madeTransition, storeAlert } from '../detect/hand-made-alerts.ts'

const board = await liveBoard('serve')

type Told = {
  event: string
  id?: string
  of?: string
  data?: { kind: string; rows?: unknown[][] }
  variable?: string
  options?: { value: string }[]
  more?: boolean
}

/** A stream, and what has come down it so far. */
async function streamed(url: string, query = '') {
  const stop = new AbortController()
  const answer = await fetch(`${url}/api/stream${query}`, { signal: stop.signal })
  const told: Told[] = []
  const reading = (async () => {
    let text = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop()!
      for (const part of parts) if (part.startsWith('data: ')) told.push(JSON.parse(part.slice(6)) as Told)
    }
  })().catch(() => {})
  const panels = () => new Set(told.flatMap(({ event, id }) => (event === 'panel' ? [id] : [])))
  const marks = () => new Set(told.flatMap(({ event, of }) => (event === 'marks' ? [of] : [])))
  async function close(): Promise<void> {
    stop.abort()
    await reading
  }
  return { answer, told, panels, marks, close }
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/api/review`, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } })

test('200 browsers cost one question a panel and one a kind of marks, and metrics are answered beside them', async () => {
  const { registry, answer } = metrics(() => Promise.resolve(true))
  const { http, serving } = await board.open({ everyMs: 300, againMs: Infinity, watch: serveMetrics({ registry }), metrics: answer })
  const panels = boards[0]!.panels.length
  board.asked.length = 0
  const streams = await Promise.all(Array.from({ length: 200 }, () => streamed(http.url)))
  await soon(() => streams.every((one) => one.panels().size === panels && one.marks().size === 2)).toBe(true)
  expect(serving.streams()).toBe(200)
  const asked = () => board.asked.filter((sql) => sql.includes('SETTINGS'))
  // And one for what can be chosen.
  await soon(() => asked().length).toBe(panels + 2 + 1)
  const scraped = async (name: string) =>
    Number(new RegExp(`^reelpulse_${name} (.+)$`, 'm').exec(await (await fetch(`${http.url}/metrics`)).text())?.[1])
  expect(await scraped('board_streams')).toBe(200)
  expect(await scraped('panel_query_seconds_count{board="reelpulse-overview"}')).toBe(panels)
  expect(await scraped('board_updates_total')).toBeGreaterThanOrEqual(200 * panels)
  await board.goOn(60_000)
  const minutes = boards[0]!.panels.findIndex(({ shows }) => shows === 'open_minutes')
  await soon(() => streams.every(({ told }) => told.filter(({ id }) => id === String(minutes)).length > 1)).toBe(true)
  // The traffic came in several blocks; of each panel, far fewer questions than browsers.
  expect(asked().length).toBeLessThan(panels * 40)
  await Promise.all(streams.map((one) => one.close()))
  await soon(() => serving.streams()).toBe(0)
  expect(await scraped('board_streams')).toBe(0)
  await http.close()
})

test('of a dimension with 10,000 values a browser gets some, and is told that there are more; others have all', async () => {
  await board.store.command(
    `INSERT INTO kpi_deltas (grain, bucket_at, dimension, value, block_at, plays)
    SELECT grain, if(grain = 'day', toDateTime64('2026-11-19 16:00:00', 3, 'UTC'), toDateTime64('2026-11-20 03:30:00', 3, 'UTC')) AS at, 'app_version', concat('0.', toString(number)), at, 1
    FROM numbers(10000) ARRAY JOIN ['minute', 'day'] AS grain`,
  )
  const { http } = await board.open()
  const stream = await streamed(http.url, '?board=reelpulse-content')
  const optionsOf = (name: string) => stream.told.find(({ event, variable }) => event === 'options' && variable === name)
  await soon(() => optionsOf('app_version') !== undefined && optionsOf('tier') !== undefined).toBe(true)
  expect([optionsOf('app_version')!.options!.length, optionsOf('app_version')!.more]).toEqual([200, true])
  expect(new Set(optionsOf('app_version')!.options!.map(({ value }) => value)).size).toBe(200)
  expect([optionsOf('tier')!.options!.map(({ value }) => value), optionsOf('tier')!.more]).toEqual([expect.arrayContaining(['new']), false])
  // Every panel answers, also those that split by it: they have the values that most is known of.
  const { panels } = boards.find(({ uid }) => uid === 'reelpulse-content')!
  await soon(() => stream.panels().size).toBe(panels.length)
  await stream.close()
  await http.close()
})

test('what is marked is asked once a range, whatever the board; a board without charts does not ask', async () => {
  const { http } = await board.open({ everyMs: 100, againMs: Infinity })
  board.asked.length = 0
  const queries = ['pipeline', 'users', 'users&var-channel=ad', 'users&from=now-6h', 'alerts'].map((one) => `?board=reelpulse-${one}`)
  const streams = await Promise.all(queries.map((query) => streamed(http.url, query)))
  await soon(() => streams.slice(0, 4).every(({ marks }) => marks().size === 2)).toBe(true)
  const asked = (end: string) => board.asked.filter((sql) => sql.includes('AS title') && sql.includes(end)).length
  expect([asked('FROM alert_history'), asked('FROM releases')]).toEqual([2, 2])
  await soon(() => streams[4]!.panels().size).toBe(boards.find(({ uid }) => uid === 'reelpulse-alerts')!.panels.length)
  expect(streams[4]!.marks().size).toBe(0)
  await Promise.all(streams.map((one) => one.close()))
  await http.close()
})

test('with as many streams open as may be the next one is told to come later', async () => {
  const { http } = await board.open({ maxStreams: 2 })
  const streams = [await streamed(http.url), await streamed(http.url)]
  const refused = await fetch(`${http.url}/api/stream`)
  expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([503, '5', { code: 'too_many_streams' }])
  await Promise.all(streams.map((one) => one.close()))
  await http.close()
})

test.each([
  ['a range that ends before it begins', 'from=5&to=3', 'bad_range'],
  ['a length of time that is not offered', 'from=now-3y', 'bad_range'],
  ['an instant in words', 'from=yesterday&to=now', 'bad_range'],
  ['a range of ten years', `from=0&to=${10 * 365 * 86_400_000}`, 'bad_range'],
  ['a board that is not there', 'board=../../etc', 'unknown_board'],
  ['513 letters', `var-channel=${'x'.repeat(513)}`, 'bad_variable'],
  ['200 letters of 600 bytes', `var-channel=${encodeURIComponent('渠'.repeat(200))}`, 'bad_variable'],
  ['a KPI that is not there', 'var-kpi=drop_table', 'bad_variable'],
])('%s is refused with words', async (_, query, code) => {
  const { http } = await board.open()
  const answer = await fetch(`${http.url}/api/stream?${query}`)
  expect([answer.status, await answer.json()]).toMatchObject([400, { code, error: expect.stringMatching(/\w/) as string }])
  await http.close()
})

test.each(["' OR 1=1 --", "\\' UNION SELECT * FROM alerts --", '{user_id:String}', '{to_ms:Int64}', '用户', '%s`"'])(
  '%s is a value, and nothing else',
  async (text) => {
    const { http, warned } = await board.open()
    const value = encodeURIComponent(text)
    for (const query of [`?board=reelpulse-user&var-user_id=${value}`, `?board=reelpulse-cells&var-channel=${value}`]) {
      const one = await streamed(http.url, query)
      const { panels } = boards.find(({ uid }) => query.includes(`board=${uid}&`))!
      await soon(() => one.panels().size).toBe(panels.length)
      const shown = panels.findIndex(({ shows }) => shows === 'user_now' || shows === 'cell_shown')
      const rows = panels[shown]!.shows === 'user_now' ? [] : [[`channel ${text}`, '']]
      expect(one.told.find(({ id }) => id === String(shown))?.data).toMatchObject({ rows })
      await one.close()
    }
    expect(warned).toEqual([])
    await http.close()
  },
)

test('the page has a strict policy, and its script is small and made once', async () => {
  const { http } = await board.open()
  const page = await fetch(http.url)
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/)
  const script = await fetch(`${http.url}/board/script.js`)
  const gzipped = await new Promise<Buffer>((resolve, reject) => {
    request(`${http.url}/board/script.js`, { headers: { 'Accept-Encoding': 'gzip' } }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)))
    }).on('error', reject).end() // prettier-ignore
  })
  expect(gzipped.length).toBeLessThan(300_000)
  expect(gunzipSync(gzipped).toString()).toBe(await script.text())
  const again = await fetch(`${http.url}/board/script.js`, { headers: { 'If-None-Match': script.headers.get('etag')! } })
  expect(again.status).toBe(304)
  await http.close()
})

test('a board that could not be bundled is told as that, and made anew at the next request', async () => {
  let made = 0
  const makeBundle = () => (made++ === 0 ? Promise.reject(new Error('esbuild is not there')) : bundleBoard())
  const { http, warned } = await board.open({ makeBundle })
  const failed = await fetch(http.url)
  expect([failed.status, await failed.text()]).toEqual([503, expect.stringContaining('could not be made from its sources')])
  expect(JSON.stringify(warned)).toContain('the next request tries again')
  const [page, script] = await Promise.all([fetch(http.url), fetch(`${http.url}/board/script.js`)])
  expect([page.status, script.status, made]).toEqual([200, 200, 2])
  await http.close()
})

/** fetch() sets some headers by itself. */
function rawly(port: number, path: string, headers: Record<string, string>, method = 'GET', body = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      resolve(answer.statusCode!)
      answer.destroy()
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

test('a page of another site gets nothing, by whatever name it calls this machine, and writes nothing', async () => {
  const { http } = await board.open()
  const { port } = http
  expect(await rawly(port, '/api/boards', { Host: `localhost:${port}` })).toBe(200)
  expect(await rawly(port, '/api/boards', { Host: `[::1]:${port}` })).toBe(200)
  expect(await rawly(port, '/api/boards', { Host: `evil.example:${port}` })).toBe(403)
  expect(await rawly(port, '/', { Host: `127.0.0.1.evil.example:${port}` })).toBe(403)
  expect(await rawly(port, '/api/stream', { Host: `127.0.0.1:${port}`, Origin: 'http://evil.example' })).toBe(403)
  // Without an Origin, as a picture or a frame would ask; a link may lead here.
  const foreign = { Host: `127.0.0.1:${port}`, 'Sec-Fetch-Site': 'cross-site' }
  expect(await rawly(port, '/api/stream', { ...foreign, 'Sec-Fetch-Mode': 'no-cors' })).toBe(403)
  expect(await rawly(port, '/api/boards', { ...foreign, 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors' })).toBe(403)
  expect(await rawly(port, '/', { ...foreign, 'Sec-Fetch-Mode': 'navigate' })).toBe(200)
  const json = { Host: `127.0.0.1:${port}`, 'Content-Type': 'application/json' }
  expect(await rawly(port, '/api/review', { ...json, Origin: 'http://evil.example' }, 'POST', '{}')).toBe(403)
  expect(await rawly(port, '/api/review', { ...json, 'Sec-Fetch-Site': 'cross-site' }, 'POST', '{}')).toBe(403)
  expect(await rawly(port, '/api/review', { ...json, 'Content-Type': 'text/plain' }, 'POST', '{}')).toBe(403)
  expect(await rawly(port, '/api/review', json, 'POST', '{}')).toBe(400)
  expect(await rawly(port, '/api/review', json, 'GET')).toBe(405)
  await http.close()
})

test('where names are set it answers to these alone, whatever it listens on', async () => {
  const { http } = await board.open({ host: '0.0.0.0', names: ['localhost', 'Board.example'] })
  for (const [host, status] of Object.entries({
    'localhost:80': 200,
    'board.example': 200,
    'evil.example': 403,
    '127.0.0.1': 403,
    '': 403,
  }))
    expect(await rawly(http.port, '/api/boards', { Host: host }), host).toBe(status)
  const rebound = { Host: 'evil.example:8080', Origin: 'http://evil.example:8080', 'Content-Type': 'application/json' }
  expect(await rawly(http.port, '/api/review', rebound, 'POST', '{}')).toBe(403)
  await http.close()
})

test('where it listens for others, it answers by any name of its own and to its own pages alone', async () => {
  const { http } = await board.open({ host: '0.0.0.0' })
  expect(await rawly(http.port, '/api/boards', { Host: 'board.example' })).toBe(200)
  expect(await rawly(http.port, '/api/boards', { Host: 'board.example', Origin: 'https://board.example' })).toBe(200)
  expect(await rawly(http.port, '/api/boards', { Host: 'board.example', Origin: 'https://evil.example' })).toBe(403)
  await http.close()
})

test('a review is written once, however often it is sent, and not where it says nothing', async () => {
  const { http } = await board.open()
  await storeAlert(board.store, madeTransition('kol', Date.UTC(2026, 10, 20, 3), 1, 'firing'))
  const [{ id }] = await board.store.query<{ id: string }>(`SELECT toString(alert_id) AS id FROM alerts WHERE value = 'kol'`) as [{ id: string }] // prettier-ignore
  const review = { alert_id: id, review_id: crypto.randomUUID(), action: 'note', by: 'lin', text: 'looking' }
  expect((await post(http.url, review)).status).toBe(200)
  expect((await post(http.url, review)).status).toBe(200)
  expect(await board.store.query(`SELECT text FROM alert_reviews WHERE alert_id = {id:UUID}`, { id })).toEqual([{ text: 'looking' }])
  const told = async (body: unknown) => {
    const answer = await post(http.url, body)
    return [answer.status, ((await answer.json()) as { code: string }).code]
  }
  expect(await told({ ...review, text: '' })).toEqual([409, 'hindered'])
  expect(await told({ ...review, action: 'close' })).toEqual([409, 'hindered'])
  expect(await told({ ...review, by: '' })).toEqual([400, 'bad_review'])
  expect(await told({ ...review, alert_id: crypto.randomUUID() })).toEqual([404, 'unknown_alert'])
  expect(await told({ ...review, more: 1 })).toEqual([400, 'bad_review'])
  expect((await post(http.url, { ...review, text: 'x'.repeat(20_000) })).status).toBe(413)
  await http.close()
})
