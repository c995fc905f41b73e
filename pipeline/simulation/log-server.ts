// The simulated brokers: topics whose partitions hold records, transactions that fence, a group that is shared out.
// What they keep survives every process; what they do is what Kafka does, transaction markers and aborted records included.
import { assignPartitions } from '../adapters/shared/assignment.ts'
import { ownerRecord, ownershipId } from '../adapters/shared/topic-rules.ts'
import { OwnerLost, type ClaimOptions, type GroupHandlers, type OutRecord, type RecordHeaders, type TimestampType } from '../ports/log.ts'
import type { Chance } from './chance.ts'
import type { Host, World } from './world.ts'

export type StoredRecord = {
  offset: number
  timestampMs: number
  key: Uint8Array | null
  value: Uint8Array | null
  headers: RecordHeaders | undefined
  transaction: Transaction | undefined
}

export type Transaction = {
  id: string
  epoch: number
  state: 'open' | 'committed' | 'aborted'
  touched: Set<StoredPartition>
  first: Map<StoredPartition, number>
}

export type StoredPartition = {
  topic: string
  partition: number
  records: StoredRecord[]
  /** Offset of the next record; markers take one too. */
  end: number
  open: Set<Transaction>
  wake: Set<() => void>
}

export type StoredTopic = { timestamps: TimestampType; compacted: boolean; partitions: StoredPartition[] }

export type Addressed = { topic: string; record: OutRecord; partition: number }

export type LogServer = ReturnType<typeof logServer>

const transactionTimeoutMs = 60_000
const dayMs = 86_400_000

/** `slowTidings`: how often a member hears late of what it gained and lost. */
export function logServer(world: World, chance: Chance, sessionTimeoutMs: number, slowTidings: number) {
  const topics = new Map<string, StoredTopic>()
  const epochs = new Map<string, number>()
  const openById = new Map<string, Transaction>()
  const members = new Map<string, { host: Host; owned: number[]; handlers: GroupHandlers; heardAt: number }>()
  let groupPartitions = 0
  let clockSkewMs = 0

  const partitionOf = (topic: string, partition: number): StoredPartition => topics.get(topic)!.partitions[partition]!

  function store(at: StoredPartition, record: OutRecord, transaction?: Transaction): number {
    const { timestamps } = topics.get(at.topic)!
    const timestampMs = timestamps === 'append' ? world.now() + clockSkewMs : record.timestampMs!
    const { key, value, headers } = record
    at.records.push({ offset: at.end, timestampMs, key, value, headers, transaction })
    return at.end++
  }

  function wake(at: StoredPartition): void {
    for (const reader of at.wake) reader()
    at.wake.clear()
  }

  function begin(id: string, epoch: number): Transaction {
    const transaction: Transaction = { id, epoch, state: 'open', touched: new Set(), first: new Map() }
    openById.set(id, transaction)
    world.after(transactionTimeoutMs, () => {
      if (transaction.state !== 'open') return
      epochs.set(id, epoch + 1)
      end(transaction, false)
    })
    return transaction
  }

  function end(transaction: Transaction, commit: boolean): void {
    transaction.state = commit ? 'committed' : 'aborted'
    openById.delete(transaction.id)
    for (const at of transaction.touched) {
      at.open.delete(transaction)
      at.end++ // the marker
      wake(at)
    }
  }

  function assertEpoch(id: string, epoch: number): void {
    if (epochs.get(id) !== epoch) throw new OwnerLost(`${id}: epoch ${epoch} is fenced`)
  }

  /** Members whose session has ended leave; who is left shares the partitions. Called by itself, again and again. */
  function watchSessions(): void {
    let left = false
    for (const [id, { host, heardAt }] of members) {
      const quietMs = host.runningSince() === Infinity ? world.now() - heardAt : 0
      if (quietMs === 0) members.get(id)!.heardAt = world.now()
      if (quietMs > sessionTimeoutMs) {
        expel(id)
        left = true
      }
    }
    if (left) share()
    world.after(sessionTimeoutMs / 5, watchSessions)
  }

  /** A member that was paused learns of it when it runs again, after all that it was told before, and joins anew. */
  function expel(id: string): void {
    const member = members.get(id)!
    members.delete(id)
    const { host, owned, handlers } = member
    if (host.state() === 'dead') return
    tell(member, () => {
      for (const partition of owned) handlers.revoked(partition)
      world.after(chance.between(10, 500), () => {
        if (host.state() === 'dead' || members.has(id)) return
        members.set(id, { host, owned: [], handlers, heardAt: world.now() })
        share()
      })
    })
  }

  function share(): void {
    const wanted = assignPartitions(
      groupPartitions,
      [...members].map(([id, { owned }]) => ({ id, owned })),
    )
    for (const [id, member] of members) {
      const keep = wanted.get(id)!
      const lost = member.owned.filter((partition) => !keep.includes(partition))
      const gained = keep.filter((partition) => !member.owned.includes(partition))
      member.owned = keep
      // Who loses a partition may hear of it long after the other has it; what one member hears stays in order.
      tell(member, () => {
        for (const partition of lost) member.handlers.revoked(partition)
        for (const partition of gained) member.handlers.assigned(partition)
      })
    }
  }

  const heardUntil = new Map<Host, number>()
  function tell(member: { host: Host }, what: () => void): void {
    const { host } = member
    const delay = chance.is(slowTidings) ? chance.between(100, 4_000) : chance.between(1, 60)
    const at = Math.max(world.now() + delay, (heardUntil.get(host) ?? 0) + 1)
    heardUntil.set(host, at)
    world.after(at - world.now(), () => host.hear(what))
  }

  world.after(sessionTimeoutMs, watchSessions)

  return {
    topics,
    partition: partitionOf,
    create(topic: string, count: number, timestamps: TimestampType, compacted: boolean): void {
      if (topics.has(topic)) return
      const partitions = Array.from({ length: count }, (_, partition): StoredPartition => ({
        topic, partition, records: [], end: 0, open: new Set(), wake: new Set(),
      })) // prettier-ignore
      topics.set(topic, { timestamps, compacted, partitions })
    },
    grow(topic: string, count: number): void {
      const { partitions } = topics.get(topic)!
      for (let partition = partitions.length; partition < count; partition++)
        partitions.push({ topic, partition, records: [], end: 0, open: new Set(), wake: new Set() })
    },
    append(records: readonly Addressed[]): void {
      for (const { topic, partition, record } of records) store(partitionOf(topic, partition), record)
      for (const { topic, partition } of records) wake(partitionOf(topic, partition))
    },
    /** All brokers' clocks are off by so much from now on. Kafka's log time may go back with it. */
    skewClock(ms: number): void {
      clockSkewMs = ms
    },
    lastStable(at: StoredPartition): number {
      let least = at.end
      for (const transaction of at.open) least = Math.min(least, transaction.first.get(at)!)
      return least
    },

    /** Fences every earlier owner of the id and aborts what it left open. Returns the epoch. */
    fence(id: string): number {
      const epoch = (epochs.get(id) ?? 0) + 1
      epochs.set(id, epoch)
      const open = openById.get(id)
      if (open !== undefined) end(open, false)
      return epoch
    },
    /** Adds records to the epoch's open transaction. */
    write(id: string, epoch: number, records: readonly Addressed[]): void {
      assertEpoch(id, epoch)
      const transaction = openById.get(id) ?? begin(id, epoch)
      for (const { topic, partition, record } of records) {
        const at = partitionOf(topic, partition)
        if (!transaction.touched.has(at)) {
          transaction.touched.add(at)
          transaction.first.set(at, at.end)
          at.open.add(transaction)
        }
        store(at, record, transaction)
      }
    },
    commit(id: string, epoch: number): void {
      assertEpoch(id, epoch)
      const open = openById.get(id)
      if (open !== undefined) end(open, true)
    },
    /** Commits the owner record. Returns its offset. */
    own(claim: ClaimOptions, epoch: number, ownerId: string): number {
      const id = ownershipId(claim)
      assertEpoch(id, epoch)
      const at = partitionOf(claim.changelogTopic, claim.partition)
      const transaction: Transaction = { id, epoch, state: 'open', touched: new Set([at]), first: new Map() }
      const offset = store(at, ownerRecord(ownerId, claim.partition), transaction)
      end(transaction, true)
      return offset
    },

    join(id: string, host: Host, partitions: number, handlers: GroupHandlers): void {
      groupPartitions = partitions
      members.set(id, { host, owned: [], handlers, heardAt: world.now() })
      share()
    },
    leave(id: string): void {
      if (members.delete(id)) share()
    },

    /** Compaction, as it may come at any moment: of each key the last committed record stays, tombstones for a day. */
    compact(topic: string): void {
      for (const at of topics.get(topic)!.partitions) {
        const stable = this.lastStable(at)
        const latest = new Map<string, number>()
        const committed = ({ transaction, offset }: StoredRecord) => offset < stable && transaction?.state !== 'aborted'
        for (const record of at.records) if (committed(record)) latest.set(keyText(record.key), record.offset)
        at.records = at.records.filter((record) => {
          if (record.offset >= stable) return true
          if (!committed(record)) return false
          if (latest.get(keyText(record.key)) !== record.offset) return false
          return record.value !== null || record.timestampMs > world.now() - dayMs
        })
      }
    },
  }
}

const keyText = (key: Uint8Array | null): string => (key === null ? '' : Buffer.from(key).toString('latin1'))

/** What a read_committed reader gets of a partition from an offset: at most `limit` records, and where it goes on. */
export function committedFrom(server: LogServer, at: StoredPartition, from: number, limit: number) {
  const stable = server.lastStable(at)
  const records: StoredRecord[] = []
  let next = Math.max(from, stable)
  let low = 0
  let high = at.records.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (at.records[middle]!.offset < from) low = middle + 1
    else high = middle
  }
  for (let i = low; i < at.records.length; i++) {
    const record = at.records[i]!
    if (record.offset >= stable) break
    if (record.transaction?.state === 'aborted') continue
    if (records.length === limit) {
      next = record.offset
      break
    }
    records.push(record)
  }
  return { records, next, end: at.end }
}
