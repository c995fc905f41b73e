// `npm run screenshots`: pictures of the live board for docs/images, of a simulated incident as it is going on. With `-- --baseline` the pictures
// that tests compare the board with.
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { startWithBoard } from '../bench/running-program.ts'
import { openBrowser, type Browser } from './browser.ts'
import { renewBaselines } from './pictures.ts'

const directory = resolve(import.meta.dirname, '../../docs/images')
const shots = [
  { name: 'board-light', query: '?from=now-6h', width: 1440, height: 1180 },
  { name: 'board-dark', query: '?board=reelpulse-content&from=now-6h', width: 1440, height: 1180, dark: true },
  { name: 'board-alerts', query: '?board=reelpulse-alerts&from=now-24h', width: 1440, height: 820 },
  { name: 'board-zh', query: '?from=now-6h', width: 1440, height: 900, chinese: true },
  { name: 'board-phone', query: '', width: 390, height: 844, scale: 2, dark: true },
] as const
type Shot = { name: string; query: string; width: number; height: number; scale?: number; dark?: boolean; chinese?: boolean }

if (process.argv.includes('--baseline')) await renewBaselines((line) => process.stdout.write(`${line}\n`))
else await shootIncident()

async function shootIncident(): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const program = await startWithBoard(['--incident'])
  const browser = await openBrowser()
  try {
    const first = await browser.newPage()
    await first.goto(`${program.url}/?board=reelpulse-alerts`)
    process.stdout.write('waiting for an alert to fire: some minutes\n')
    await first.waitForSelector('[data-shows=open_alerts] .is-firing', { timeout: 20 * 60_000 })
    await first.close()
    for (const shot of shots) await shoot(browser, program.url, shot)
  } finally {
    await browser.close()
    await program.stop()
  }
}

async function shoot(
  browser: Browser,
  url: string,
  { name, query, width, height, scale = 1, dark = false, chinese = false }: Shot,
): Promise<void> {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  await page.setViewport({ width, height, deviceScaleFactor: scale })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }])
  if (chinese) await page.evaluateOnNewDocument(`localStorage.setItem('reelpulse-looks', '{"language":"zh"}')`)
  await page.goto(`${url}/${query}`)
  await page.waitForFunction(`document.querySelectorAll('.panel').length > 0 && document.querySelector('[aria-busy=true]') === null && (document.querySelector('.lines') === null || document.querySelector('.marks') !== null)`, { timeout: 300_000 }) // prettier-ignore
  await page.screenshot({ path: `${directory}/${name}.png` as `${string}.png` })
  process.stdout.write(`docs/images/${name}.png\n`)
  await context.close()
}
