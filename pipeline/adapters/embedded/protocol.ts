// What the embedded log and its writer thread say to each other.

import type { TopicSpec } from '../../ports/log.ts'
import type { Synchronous } from './schema.ts'

export type WriterStart = { path: string; synchronous: Synchronous }

/** `payload` is a batch as batch-codec.ts has it. */
export type BatchWrite = { partitionId: number; count: number; payload: Uint8Array<ArrayBuffer>; maxTimestampMs: number }

export type WriterRequest =
  | {
      kind: 'write'
      id: number
      nowMs: number
      batches: BatchWrite[]
      progress?: { group: string; partitionId: number; nextOffset: number }
    }
  | { kind: 'create'; id: number; spec: TopicSpec }
  | { kind: 'grow'; id: number; topic: string; count: number }
  | { kind: 'maintain'; id: number; nowMs: number; dirtyBytes: number }
  | { kind: 'close'; id: number }

export type PartitionRow = { id: number; topic: string; partition: number; begin: number; end: number }

export type WriterReply =
  /** In the order of the request's batches: the offset of each one's first record. */
  | { id: number; firstOffsets: number[]; ends: [partitionId: number, begin: number, end: number][]; created?: PartitionRow[] }
  | { id: number; error: string; full: boolean }
