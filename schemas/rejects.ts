/** Why a record or an event was rejected. */
export const recordRejects = [
  'bad_header', 'unknown_schema', 'truncated', 'trailing_bytes', 'bad_utf8', 'key_mismatch', 'null_key', 'null_value',
  'wrong_partition', 'too_many_events', 'flush_field_too_long',
] as const // prettier-ignore
export const eventRejects = ['missing_field', 'field_too_long', 'out_of_range', 'currency', 'too_old'] as const
export const rejectReasons = [...recordRejects, ...eventRejects] as const
export type RecordReject = (typeof recordRejects)[number]
export type EventReject = (typeof eventRejects)[number]
export type RejectReason = (typeof rejectReasons)[number]
