// Which rows a query of `verify` looks at: a stretch of the users, no further than the log's last whole blocks.
import type { OperatorSettings } from '../../operators/settings.ts'
import type { QueryParams } from '../ports/store.ts'

/** A user's bucket, by which a sample is drawn: the same users whenever the same share is asked for. */
export const sampleBuckets = 1_000_000
export const bucketOf = `cityHash64(user_id) % ${sampleBuckets}`

export type Users =
  /** From `from` up to, not including, `to` (undefined: to the last), those in the first `share` buckets. */
  | { readonly kind: 'stretch'; readonly from: string; readonly to: string | undefined; readonly share: number }
  | { readonly kind: 'named'; readonly users: readonly string[] }

/** By partition, where the verified part of the log ends. */
export type Cut = readonly PartitionCut[]
export type PartitionCut = {
  readonly partition: number
  /** First offset of the last block of which every row is there. −1: none. */
  readonly lastBlock: number
  /** The partition's clock at that block's end, ms. */
  readonly clockMs: number
  /** Partitions of the topic when the last block ended; 0: not known any more. */
  readonly partitions: number
}

export type Scope = {
  readonly users: Users
  readonly cut: Cut
  /** Of a user with more rows, the newest and a random choice of the others. */
  readonly rowsPerUser: number
}

/** A condition on `user_id`. */
export function usersAre(users: Users): string {
  if (users.kind === 'named') return 'user_id IN {users:Array(String)}'
  const conditions = ['user_id >= {from:String}']
  if (users.to !== undefined) conditions.push('user_id < {to:String}')
  if (users.share < sampleBuckets) conditions.push(`${bucketOf} < {share:UInt32}`)
  return conditions.join(' AND ')
}

export function userParams(users: Users): QueryParams {
  if (users.kind === 'named') return { users: users.users }
  return { from: users.from, share: users.share, ...(users.to === undefined ? {} : { to: users.to }) }
}

/** A condition on `partition` and `first_offset`: blocks that are wholly in the tables. */
export function inCut(cut: Cut): string {
  return `first_offset <= ${ofPartition(cut, (one) => one.lastBlock, -1)}`
}

/** The partition's clock at the cut, as an expression over `partition`. */
export function clockAtCut(cut: Cut): string {
  return ofPartition(cut, (one) => one.clockMs, 0)
}

/** The same of the partition to which `user_id` belongs now; their events may lie in another, from before a repartition. */
export function homeClockAtCut(cut: Cut): string {
  const partitions = Math.max(0, ...cut.map((one) => one.partitions))
  if (partitions <= Math.max(...cut.map((one) => one.partition))) return clockAtCut(cut)
  const clocks = Array.from({ length: partitions }, (_, home) => cut.find(({ partition }) => partition === home)?.clockMs ?? 0)
  return `CAST([${clocks.map(integer).join(',')}], 'Array(Int64)')[toUInt32(kafkaMurmurHash(user_id) % ${integer(partitions)}) + 1]`
}

// Written out, not bound: parameters travel in the URL, and a topic may have a thousand partitions.
function ofPartition(cut: Cut, valueOf: (one: PartitionCut) => number, otherwise: number): string {
  const values = Array.from({ length: 1 + Math.max(-1, ...cut.map((one) => one.partition)) }, () => otherwise)
  for (const one of cut) values[one.partition] = valueOf(one)
  if (values.length === 0) return `toInt64(${otherwise})`
  return `CAST([${values.map(integer).join(',')}], 'Array(Int64)')[partition + 1]`
}

export function integer(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`)
  return String(value)
}

/** What the operators were told, as parameters of the queries. */
export type VerifySettings = Pick<OperatorSettings, 'emitMs' | 'decayRows' | 'zone' | 'currency' | 'dimensions'> & {
  /** After its end a bucket closes so much later, as detect was told; the default where it was not. */
  readonly latenessMs?: number
}

export function settingParams(settings: VerifySettings): QueryParams {
  return {
    zone: settings.zone,
    channels: settings.dimensions.channel,
    regions: settings.dimensions.region,
    versions: settings.dimensions.app_version,
    categories: settings.dimensions.category,
    surfaces: settings.dimensions.surface,
  }
}
