// How current the board is, at its top right.
import type { Language } from '../board.ts'
import { useRef } from 'preact/hooks'
import type { Connection } from './connect.ts'
import { clock, duration } from './format.ts'
import type { Status } from './protocol.ts'
import { words } from './words.ts'

const quietMs = 20_000
const behindMs = 30_000

/** Whether what is shown is current, in a few words. They change every second; whoever hears them is told only when it becomes another state. */
export function Pill({ connection, status, language }: { connection: Connection; status: Status | undefined; language: Language }) {
  const [kind, text, more] = standing(connection, status, language)
  const told = useRef({ kind, language, text })
  if (told.current.kind !== kind || told.current.language !== language) told.current = { kind, language, text }
  const looks = {
    lost: 'bad',
    away: 'bad',
    quiet: 'bad',
    behind: 'late',
    live: 'good',
    connecting: 'waiting',
    starting: 'waiting',
  } as const
  return (
    <section class="standing" aria-label={words[language].standing}>
      <p class={`pill ${looks[kind]}`}><i aria-hidden="true" />{text}{more === undefined ? null : <span>{more}</span>}</p>
      <p class="hidden" role="status">{told.current.text}</p>
    </section>
  ) // prettier-ignore
}

type Standing = 'lost' | 'connecting' | 'away' | 'starting' | 'quiet' | 'behind' | 'live'

function standing(connection: Connection, status: Status | undefined, language: Language): [Standing, text: string, more?: string] {
  const w = words[language]
  if (connection === 'lost') return ['lost', w.lostShort]
  if (status === undefined) return ['connecting', w.connecting]
  if (status.store === 'away') return ['away', w.awayShort]
  if (status.clockAt === 0) return ['starting', w.starting]
  const upTo = w.upTo(clock(status.clockAt))
  const behind = status.at - status.leastClockAt
  if (status.quietMs > quietMs) return ['quiet', w.quiet(duration(status.quietMs, language)), upTo]
  if (behind > behindMs) return ['behind', w.behind(duration(behind, language)), upTo]
  return ['live', w.live, upTo]
}
