// The signature of a webhook's POST: who has the secret can tell that the body is ours, and when it was sent (docs/guide/alerts.md).
import { createHmac } from 'node:crypto'

export const signatureHeader = 'reelpulse-signature'

/** `t=<Unix seconds>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>`, so that neither can be changed, and an old one can be told from a new one. */
export function signatureOf(secret: string, body: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000)
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}
