// Pictures of the board over answers that never change, and how far two of them differ: what a change does to how boards look is seen, and meant.
/// <reference lib="dom" />
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { tables } from '../../schemas/tables/catalogue.ts'
import { openHttp } from '../http/server.ts'
import { serve } from '../roles/serve/serve.ts'
import { openBrowser, type Page } from './browser.ts'
import { frozenAt, frozenStore } from './frozen-store.ts'

export type Shot = {
  readonly name: string
  readonly query: string
  readonly width: number
  readonly height: number
  readonly theme: 'light' | 'dark'
  readonly language: 'en' | 'zh'
}

/** Few, and no higher than what each is there for: tables, figures, charts, marks; both languages, both colour schemes, wide and narrow. */
const desktop = { width: 1120, height: 640 } as const
const phone = { width: 375, height: 720 } as const
export const shots: readonly Shot[] = [
  { name: 'overview', query: '', ...desktop, theme: 'light', language: 'en' },
  { name: 'overview-zh-dark', query: '?var-channel=organic', ...desktop, height: 860, theme: 'dark', language: 'zh' },
  { name: 'overview-phone-dark', query: '', ...phone, theme: 'dark', language: 'en' },
  { name: 'content-dark', query: '?board=reelpulse-content', ...desktop, theme: 'dark', language: 'en' },
  { name: 'alerts', query: '?board=reelpulse-alerts', ...desktop, height: 480, theme: 'light', language: 'en' },
  { name: 'alerts-zh-phone', query: '?board=reelpulse-alerts', ...phone, theme: 'light', language: 'zh' },
  { name: 'users-zh', query: '?board=reelpulse-users', ...desktop, height: 800, theme: 'light', language: 'zh' },
  { name: 'user-phone', query: '?board=reelpulse-user&var-user_id=user-1000', ...phone, theme: 'light', language: 'en' },
]

/** A browser that has part of a busy machine is slow, and not wrong. */
const longestMs = 200_000

const folder = join(import.meta.dirname, 'baselines')
export const baselineOf = (name: string) => join(folder, `${name}.png`)
const madeWithPath = join(folder, 'made-with.json')

/** Chromium's version, and a digest of how it draws letters: where either is another, pictures differ though boards do not. */
export type MadeWith = { readonly chromium: string; readonly letters: string }

/** Why comparing says nothing here; undefined: it does. A point release of Chromium draws as the one before. */
export function incomparable(here: MadeWith): string | undefined {
  const there = JSON.parse(readFileSync(madeWithPath, 'utf8')) as MadeWith
  const major = ({ chromium }: MadeWith) => chromium.split('.')[0]
  if (major(here) !== major(there)) return `the baselines were made with Chromium ${there.chromium}; this is ${here.chromium}`
  return here.letters === there.letters
    ? undefined
    : `the baselines were made with Chromium ${there.chromium} and other fonts than are here`
}

/** The pictures as they are become what others are compared with. */
export async function renewBaselines(say: (line: string) => void): Promise<void> {
  const pictures = await openPictures()
  mkdirSync(folder, { recursive: true })
  for (const shot of shots) {
    const picture = await pictures.take(shot)
    writeFileSync(baselineOf(shot.name), picture)
    say(`${relative(process.cwd(), baselineOf(shot.name))}  ${picture.length} bytes`)
  }
  writeFileSync(madeWithPath, `${JSON.stringify(pictures.madeWith, null, 2)}\n`)
  await pictures.close()
}

/** What is done to a page before it is opened, and when it is drawn. */
export type Meddling = { readonly before?: (page: Page) => Promise<void>; readonly after?: (page: Page) => Promise<void> }
export type Pictures = {
  readonly madeWith: MadeWith
  take(shot: Shot, meddling?: Meddling): Promise<Uint8Array>
  compare(expected: Uint8Array, actual: Uint8Array): Promise<Difference>
  close(): Promise<void>
}
/** `share`: of the pixels that differ, 1 where the sizes do. `picture`: a PNG with those in red. */
export type Difference = { readonly share: number; readonly picture: Uint8Array }

export async function openPictures(): Promise<Pictures> {
  const serving = serve({
    store: frozenStore(),
    tables,
    signalsDatabase: 'frozen_customer_signals',
    zone: 'Asia/Shanghai',
    host: '127.0.0.1',
    clock: { now: () => frozenAt + 4_000, sleep: () => Promise.resolve() },
    log: {
      info: () => {},
      warn(...told: unknown[]) {
        throw new Error('a frozen board has no faults', { cause: told })
      },
    },
    everyMs: 50,
  })
  const http = await openHttp({ host: '127.0.0.1', port: 0, routes: serving.routes })
  const browser = await openBrowser()
  const desk = await browser.newPage()
  const letters = await desk.evaluate(drawLetters)

  return {
    madeWith: {
      chromium: (await browser.version()).replace(/^\D*/, ''),
      letters: createHash('sha256').update(letters).digest('hex').slice(0, 16),
    },
    async take({ query, width, height, theme, language }, { before, after } = {}) {
      const context = await browser.createBrowserContext()
      const page = await context.newPage()
      page.setDefaultTimeout(longestMs)
      await page.setViewport({ width, height })
      await page.emulateTimezone('Asia/Shanghai')
      await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }])
      await page.evaluateOnNewDocument(fixClock, frozenAt + 4_000)
      await page.evaluateOnNewDocument((looks) => localStorage.setItem('reelpulse-looks', looks), JSON.stringify({ language, theme }))
      await before?.(page)
      await page.goto(`${http.url}/${query}`)
      await page.waitForFunction(isDrawn, { polling: 50 })
      await after?.(page)
      const picture = await settled(page)
      await context.close()
      return picture
    },
    async compare(expected, actual) {
      const { share, picture } = await desk.evaluate(compareInPage, base64(expected), base64(actual))
      return { share, picture: Buffer.from(picture, 'base64') }
    },
    async close() {
      await browser.close()
      serving.close()
      await http.close()
    },
  }
}

/** Two in a row that are the same: nothing is still on its way to the screen. */
async function settled(page: Page): Promise<Uint8Array> {
  let picture = await page.screenshot({ type: 'png' })
  for (let i = 0; i < 50; i++) {
    const next = await page.screenshot({ type: 'png' })
    if (Buffer.compare(picture, next) === 0) return next
    picture = next
  }
  throw new Error(`${page.url()} is another picture each time: something on it moves`)
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

/** Undefined where they are the same, but for such a share of the pixels; else where the actual picture and the difference are. */
export async function mismatch(pictures: Pictures, name: string, actual: Uint8Array, mostShare: number): Promise<string | undefined> {
  const { share, picture } = await pictures.compare(readFileSync(baselineOf(name)), actual)
  if (share <= mostShare) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'reelpulse-pictures-'))
  const [seen, difference] = [join(directory, `${name}.png`), join(directory, `${name}-difference.png`)]
  writeFileSync(seen, actual)
  writeFileSync(difference, picture)
  return `${name} differs from ${baselineOf(name)} in ${(share * 100).toFixed(2)} % of its pixels: see ${seen} and ${difference}. If it is meant: npm run screenshots -- --baseline`
}

// What follows runs in the page.

/** The clock stands still; a given instant stays what it is. */
function fixClock(now: number): void {
  const Real = Date
  globalThis.Date = class extends Real {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [now] : given) as [number]))
    }
    static override now = () => now
  } as DateConstructor
}

/** All that the server tells is there, in whatever order it came, and the charts have had a frame to draw it. */
async function isDrawn(): Promise<boolean> {
  const panels = [...document.querySelectorAll('.panel')]
  if (panels.length === 0 || panels.some((one) => one.getAttribute('aria-busy') === 'true')) return false
  // A machine that stood still for seconds: it is asked again.
  if (document.querySelector('.fault, .banner, .refusal') !== null) return false
  if ([...document.querySelectorAll('.chart')].some((one) => one.querySelector('canvas') === null)) return false
  // Alerts and releases come one after the other.
  if (document.querySelector('.lines') !== null && document.querySelectorAll('.marks summary span').length < 2) return false
  if (document.querySelector('.pill.good') === null || document.querySelector('.tabs [aria-current]') === null) return false
  if ([...document.querySelectorAll<HTMLSelectElement>('.choices select')].some(({ options }) => options.length < 2)) return false
  await document.fonts.ready
  for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame)
  return true
}

function drawLetters(): string {
  const canvas = document.createElement('canvas')
  const ctx = canvas.getContext('2d')!
  canvas.width = 420
  canvas.height = 80
  ctx.fillStyle = '#fff'
  ctx.fillRect(0, 0, 420, 80)
  ctx.fillStyle = '#000'
  const words = 'Completion rate 45.2% ¥1,290 ✓ ✗ 完播率 告警与归因'
  for (const [i, font] of ['13px system-ui', '600 13px system-ui', '26px system-ui', '11px system-ui, sans-serif'].entries()) {
    ctx.font = font
    ctx.fillText(words, 2, 18 + i * 18)
  }
  return canvas.toDataURL()
}

/** A pixel differs where one of its colours does by more than 24 of 255. */
async function compareInPage(expected: string, actual: string): Promise<{ share: number; picture: string }> {
  const pixels = async (png: string) => {
    const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))
    const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
    const canvas = document.createElement('canvas')
    canvas.width = image.width
    canvas.height = image.height
    const ctx = canvas.getContext('2d', { willReadFrequently: true })!
    ctx.drawImage(image, 0, 0)
    return { canvas, ctx, image: ctx.getImageData(0, 0, image.width, image.height) }
  }
  const [before, after] = [await pixels(expected), await pixels(actual)]
  const isSameSize = before.image.width === after.image.width && before.image.height === after.image.height
  const { data } = after.image
  let different = 0
  for (let i = 0; isSameSize && i < data.length; i += 4) {
    const isDifferent = [0, 1, 2].some((c) => Math.abs(data[i + c]! - before.image.data[i + c]!) > 24)
    if (isDifferent) different++
    // Pale where it is the same.
    for (let c = 0; c < 3; c++) data[i + c] = isDifferent ? (c === 0 ? 255 : 0) : 170 + data[i + c]! / 3
  }
  after.ctx.putImageData(after.image, 0, 0)
  return { share: isSameSize ? different / (data.length / 4) : 1, picture: after.canvas.toDataURL('image/png').split(',')[1]! }
}
