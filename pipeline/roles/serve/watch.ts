// Who counts what the serve role does, such as its metrics.
import type { BoardUid } from '../../../dashboards/board.ts'
import type { Fault } from '../../../dashboards/live/protocol.ts'

/** `too_much`: of what waited for it; `too_long`: anything waited. */
export const dropReasons = ['too_much', 'too_long'] as const
export type DropReason = (typeof dropReasons)[number]

export type ServeWatch = {
  /** So many streams are open now. */
  streams(open: number): void
  /** A browser did not read, and its stream was closed. */
  dropped(reason: DropReason): void
  /** The store was asked for a panel, by a name that no other panel of the board has. */
  asked(board: BoardUid, panel: string, ms: number, fault: Fault | undefined): void
  /** An update went to one browser. */
  sent(bytes: number): void
}

export const nobody: ServeWatch = { streams() {}, dropped() {}, asked() {}, sent() {} }
