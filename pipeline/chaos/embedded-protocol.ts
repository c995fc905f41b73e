// What the run and the embedded program say to each other.
import type { OutRecord } from '../ports/log.ts'

export type Request = { id: number } & (
  | { ask: 'append'; topic: string; records: OutRecord[] }
  | { ask: 'ends'; topic: string }
  | { ask: 'covered'; topic: string }
)
/** `error`: nobody knows whether the log has the records. */
export type Reply = { id: number } & ({ ends: number[] } | { error: string } | { done: true })
