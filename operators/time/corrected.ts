// When an event happened, whatever the device's clock says.

/**
 * Corrected event time in ms: a wrong device clock cancels out, because only the difference of its own two readings is
 * used, and an event cannot happen after it was received. Never later than `recordAt`.
 */
export function correctedTime(receivedAt: number, recordAt: number, sentAt: number, occurredAt: number): number {
  const arrived = receivedAt < recordAt ? receivedAt : recordAt
  return occurredAt < sentAt ? arrived - (sentAt - occurredAt) : arrived
}
