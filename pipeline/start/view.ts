// The terminal view: a snapshot in, lines out. Nothing here writes or waits.
import { tiers } from '../../schemas/tiers.ts'
import type { Snapshot } from './progress.ts'

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
export const number = (value: number) => grouped.format(value)

/** UTC, to the second. */
export const instant = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 19).replace('T', ' ') : 'no record yet')

const clip = (line: string, width: number) => (line.length > width ? `${line.slice(0, width - 1)}…` : line)
const bar = (share: number, width: number) => '█'.repeat(Math.round(share * width)).padEnd(width, '·')

/** What keeps events from being processed, behind `separator`; nothing where they are. */
function state({ waiting, restoring }: Snapshot, separator: string): string {
  if (restoring !== undefined) {
    const percent = Math.floor((100 * restoring.records) / Math.max(1, restoring.ofRecords))
    return `${separator}RESTORING ${number(restoring.users)} users, ${percent} % read`
  }
  return waiting ? `${separator}WAITING FOR THE STORE` : ''
}

export type ViewFacts = { title: string; data: string; wallS: number; url?: string | undefined }

/** Lines of the screen besides those of changes and alerts. */
const fixedLines = 17

/**
 * The whole screen, at most `width` columns wide, and less than `height` high where that is possible: what has scrolled out of a
 * terminal cannot be drawn again. Alerts have first call on the room.
 */
export function screen(snapshot: Snapshot, facts: ViewFacts, width: number, height: number): string[] {
  const { usersByTier, users } = snapshot
  const room = Math.max(2, height - 1 - fixedLines)
  const alerts = snapshot.alerts.slice(0, room - 1)
  const latestChanges = snapshot.latestChanges.slice(0, room - Math.max(1, alerts.length))
  const most = Math.max(1, ...Object.values(usersByTier))
  const lines = [
    `Reelpulse · ${facts.title} · ${facts.wallS.toFixed(0)} s · state in ${facts.data} · Ctrl-C stops`,
    facts.url === undefined ? '' : `The board: ${facts.url}/`,
    `events     ${number(snapshot.events).padStart(12)}   ${number(snapshot.eventsPerSecond)}/s   lag ${number(snapshot.lag)} flushes`,
    `set aside  ${number(snapshot.duplicates).padStart(12)}   duplicates, ${number(snapshot.rejected)} rejected`,
    `log time   ${instant(snapshot.clock)} UTC${state(snapshot, '   ')}`,
    '',
    `users      ${number(users).padStart(12)}`,
    ...tiers.map((tier) => `  ${tier.padEnd(9)}${number(usersByTier[tier]).padStart(12)}   ${bar(usersByTier[tier] / most, 24)}`),
    '',
    'latest tier changes',
    ...(latestChanges.length === 0
      ? ['  none yet']
      : latestChanges.map((c) => `  ${instant(c.as_of)}  ${c.user_id}  ${c.from} → ${c.to}  ${c.reason}`)),
    '',
    'alerts',
    ...(alerts.length === 0 ? ['  none'] : alerts.map((a) => `  ${instant(a.at)}  ${a.state.toUpperCase()}  ${a.text}`)),
  ]
  return lines.map((line) => clip(line, width))
}

/** One line, for where there is no terminal. */
export function statusLine(snapshot: Snapshot, facts: ViewFacts): string {
  const users = tiers.map((tier) => `${tier} ${number(snapshot.usersByTier[tier])}`).join(', ')
  return (
    `${facts.wallS.toFixed(0)} s: ${number(snapshot.events)} events (${number(snapshot.eventsPerSecond)}/s), lag ${number(snapshot.lag)} flushes, ` +
    `log time ${instant(snapshot.clock)}; ${users}${state(snapshot, '; ')}`
  )
}

export function progressBar(done: number, of: number, eventsPerSecond: number, width: number): string {
  const share = Math.min(1, done / of)
  return clip(
    `[${bar(share, 30)}] ${(share * 100).toFixed(0).padStart(3)} %  ${number(done)} of ${number(of)} events  ${number(eventsPerSecond)}/s`,
    width,
  )
}
