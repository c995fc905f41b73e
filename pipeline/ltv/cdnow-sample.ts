// For tests: the CDNOW sample, where the machine has it. It is known what BG/NBD and Gamma-Gamma come to on it.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const beside = fileURLToPath(new URL('../../../shared/data/ltv/cdnow_sample.txt', import.meta.url))

/** The file: REELPULSE_CDNOW_SAMPLE, or `shared` beside the checkout. Its licence is not ours to ship it. */
export const cdnowSample: string | undefined = [process.env['REELPULSE_CDNOW_SAMPLE'], beside].find(
  (path) => path !== undefined && path !== '' && existsSync(path),
)

/** `day` as 1997-01-31, `amount` in dollars with cents. */
export type CdnowPurchase = { readonly customer: string; readonly day: string; readonly amount: string }

export function readCdnowSample(path: string): CdnowPurchase[] {
  const lines = readFileSync(path, 'utf8').split('\n').filter((line) => line.trim() !== '') // prettier-ignore
  return lines.map((line) => {
    const [, customer, day, , amount] = line.trim().split(/\s+/) as [string, string, string, string, string]
    return { customer, day: `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`, amount }
  })
}
