// For tests: folders of labelled cases, made by hand; and the real cases where the machine has them.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const beside = fileURLToPath(new URL('../../../shared/data/rca', import.meta.url))

/** The real cases' folder: REELPULSE_CAUSES, or `shared` beside the checkout. It is not ours to ship. */
export const realCauses: string | undefined = [process.env['REELPULSE_CAUSES'], beside].find(
  (path) => path !== undefined && path !== '' && existsSync(join(path, 'anomaly.yaml')),
)

export const minuteS = 60
export const anomalyAt = 1_590_822_000

export function writeFolder(directory: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return directory
}

/** Ten minutes before, the anomaly's, and two after, which are wild. Of 1,000 samples of each leaf 20 fail, in `cells` 300. */
export function caseCsv(cells: readonly Readonly<Record<string, string>>[], normal = 20, bad = 300): string {
  const lines = ['min,cdn,bitrate,p2p,value,cnt']
  for (let minute = -10; minute <= 2; minute++)
    for (const cdn of ['3', '5', '7'])
      for (const bitrate of ['500', '2000', '4000'])
        for (const p2p of ['0', '1']) {
          const leaf: Readonly<Record<string, string>> = { cdn, bitrate, p2p }
          const isBad = cells.some((cell) => Object.entries(cell).every(([dimension, value]) => leaf[dimension] === value))
          const jitter = (Number(cdn) * 7 + Number(bitrate) + Number(p2p) * 3 + (minute + 20) * 5) % 5
          const failures = minute > 0 ? (cdn === '3' ? 900 : 1) : minute === 0 && isBad ? bad : normal
          lines.push([anomalyAt + minute * minuteS, cdn, bitrate, p2p, failures + jitter, 1_000].join())
        }
  return `${lines.join('\n')}\n`
}
