// The input: one flush of the app SDK for one user, the value of one Kafka message of `behavior-events`.
import { enumeration, fieldTable, instant, int32, int64, list, nested, nullable, string, stringMap, uuid, type Row } from './field.ts'

export const platforms = ['android', 'ios', 'web', 'mini_program', 'server'] as const
export type Platform = (typeof platforms)[number]

/** The twelve behaviours, in the order of their codes on the wire. */
export const behaviors = [
  'register', 'session_start', 'session_end', 'impression', 'click', 'play',
  'like', 'comment', 'share', 'follow', 'search', 'purchase',
] as const // prettier-ignore
export type Behavior = (typeof behaviors)[number]

export const behaviorEvent = fieldTable('BehaviorEvent', {
  event_id: uuid(),
  behavior: enumeration('Behavior', behaviors),
  occurred_at: instant('Device clock when the behavior happened.'),
  session_id: nullable(string()),
  content_id: nullable(string()),
  creator_id: nullable(string()),
  category: nullable(string()),
  surface: nullable(string('Where it happened, such as feed, search, profile, live, push.')),
  published_at: nullable(instant('When the content was published.')),
  watch_ms: nullable(int32('play: time watched.')),
  duration_ms: nullable(int32('play: length of the video.')),
  amount_minor: nullable(int64('purchase: amount in minor units of currency.')),
  currency: nullable(string('purchase: ISO 4217 code.')),
  query: nullable(string('search: the query.')),
})
export type BehaviorEvent = Row<typeof behaviorEvent>

export const behaviorBatch = fieldTable(
  'BehaviorBatch',
  {
    batch_id: uuid('Identifies the flush; a retried flush repeats it.'),
    user_id: string('Stable id of the user, or of the anonymous device until registration.'),
    device_id: string(),
    platform: enumeration('Platform', platforms),
    app_version: string(),
    channel: string('Acquisition channel, such as organic, ad, invite, kol.'),
    region: string('ISO 3166-2 code, such as CN-31.'),
    sent_at: instant('Device clock when the flush left the device.'),
    experiments: stringMap('Experiment key to variant key, as assigned when the flush was made.'),
    events: list(nested(behaviorEvent)),
  },
  'One flush of the app SDK for one user. Message key: user_id. Avro single-object encoding.',
)
export type BehaviorBatch = Row<typeof behaviorBatch>
