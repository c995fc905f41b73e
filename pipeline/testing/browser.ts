// A real browser for tests and pictures: Chromium as the system has it, driven over its own protocol, and axe's rules of accessibility.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { missingProgram } from './installed.ts'

export type { Browser, Page } from 'puppeteer-core'

/** What is missing on this machine, or undefined: `describe.skipIf(reason)`. */
export const missingBrowser = (): Promise<string | undefined> => missingProgram('chromium', 'chromium')

export const openBrowser = (): Promise<Browser> =>
  puppeteer.launch({
    executablePath: pathOf('chromium'),
    // Tests may run as root, where Chromium's own sandbox refuses to.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb', '--hide-scrollbars'],
    protocolTimeout: 30 * 60_000,
  })

function pathOf(program: string): string {
  const path = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program)).find(existsSync) // prettier-ignore
  if (path === undefined) throw new Error(`${program} is not in PATH`)
  return path
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds wrong in the page, a line each. */
export async function axeViolations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[] }> }
    }
    const { violations } = await axe.run()
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(
        ({ html, failureSummary }) => `${id}: ${help}: ${html.slice(0, 160)} ${failureSummary.replaceAll('\n', ' ').slice(0, 200)}`,
      ),
    )
  })
}
