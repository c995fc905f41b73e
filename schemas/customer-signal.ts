// The second input: what behaviour events don't carry (service, NPS, reports, cost), one per message of `customer-signals`.
import { enumeration, fieldTable, instant, int32, int64, nullable, string, uuid, type Row } from './field.ts'

/** In the order of their codes on the wire. */
export const signalKinds = ['service_rating', 'service_reply', 'nps_response', 'content_report', 'cost'] as const
export type SignalKind = (typeof signalKinds)[number]

export const severities = ['minor', 'severe'] as const

export const customerSignal = fieldTable(
  'CustomerSignal',
  {
    signal_id: uuid(),
    kind: enumeration('SignalKind', signalKinds),
    user_id: nullable(string()),
    channel: nullable(string('cost: where it was spent; service: where the user was served.')),
    occurred_at: instant(),
    sent_at: instant(),
    score: nullable(int32('service_rating: 1 to 5; nps_response: 0 to 10.')),
    seconds: nullable(int32('service_reply: from question to answer.')),
    content_id: nullable(string('content_report.')),
    severity: nullable(string('content_report: minor or severe, when upheld; null while open or rejected.')),
    amount_minor: nullable(int64('cost: amount in minor units of currency.')),
    currency: nullable(string()),
  },
  'One signal. Message key: user_id, else channel. Avro single-object encoding.',
)
export type CustomerSignal = Row<typeof customerSignal>
