// Where to look at an alert: the board at that time and cell.
import type { Notification } from '../ports/notifier.ts'

export type BoardLink = (about: Pick<Notification, 'dimension' | 'value' | 'kpi' | 'bucketAt'>) => string

const beforeMs = 3 * 3_600_000
const afterMs = 3_600_000

/** `url`: of the board, such as http://localhost:3000/d/reelpulse-overview. undefined: there is none. */
export function boardLinkOf(url: string | undefined): BoardLink | undefined {
  if (url === undefined) return undefined
  return ({ dimension, value, kpi, bucketAt }) => {
    const link = new URL(url)
    link.searchParams.set('from', String(bucketAt - beforeMs))
    link.searchParams.set('to', String(bucketAt + afterMs))
    link.searchParams.set('var-kpi', kpi)
    if (dimension !== 'all') link.searchParams.set(`var-${dimension}`, value)
    return link.href
  }
}
