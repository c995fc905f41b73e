// Reviews of alerts, written from the board: the same service as behind `reelpulse alert`.
import { z } from 'zod'
import type { Refusal, ReviewBody } from '../../../dashboards/live/protocol.ts'
import { findAlert, writeReview } from '../../alerts/reviews.ts'
import { json, type Route } from '../../http/server.ts'
import type { Store } from '../../ports/store.ts'

const text = (most: number) => z.string().trim().max(most, `at most ${most} letters`)
const bodySchema = z.strictObject({
  alert_id: z.uuid('the id of an alert'),
  review_id: z.uuid('a UUID'),
  action: z.enum(['ack', 'note', 'close']),
  by: text(200).min(1, 'say who you are'),
  cause: text(2_000).default(''),
  strategy: text(2_000).default(''),
  text: text(4_000).default(''),
} satisfies Record<keyof ReviewBody, z.ZodType>)

export const reviewRoute =
  (store: Store, now: () => number): Route =>
  async (_, { body }) => {
    const read = bodySchema.safeParse(jsonOf(body))
    if (!read.success) {
      const { path, message } = read.error.issues[0]!
      return json(400, { code: 'bad_review', error: `${path.join('.') || 'the body'}: ${message}` } satisfies Refusal)
    }
    const { alert_id, review_id, ...said } = read.data
    const found = await findAlert(store, alert_id)
    if (found.kind !== 'found') return json(404, { code: 'unknown_alert', error: `no alert ${alert_id} has fired` } satisfies Refusal)
    const hindrance = await writeReview(store, found.value, { ...said, reviewId: review_id }, now())
    return hindrance === undefined ? json(200, { written: review_id }) : json(409, { code: 'hindered', error: hindrance } satisfies Refusal)
  }

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}
