// Brings notifications to the notifiers: each until it is acknowledged, those of one alert in order.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../log/logger.ts'
import type { Notification, Notifier } from '../../ports/notifier.ts'

export type DeliveryOptions = {
  log: Logger
  /** Ends the tries; one under way is waited for. */
  signal: AbortSignal
  /** Pause after the first failure; it doubles up to a minute. */
  firstPauseMs?: number
}

const longestPauseMs = 60_000

export function delivery(notifiers: readonly Notifier[], { log, signal, firstPauseMs = 1_000 }: DeliveryOptions) {
  const underWay = new Map<string, Promise<void>>()

  async function deliver(notifier: Notifier, notification: Notification): Promise<void> {
    for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      try {
        return await notifier.notify(notification)
      } catch (error) {
        log.warn(
          { err: error, notifier: notifier.name, alert: notification.alertId, retry_in_ms: pauseMs },
          'an alert was not taken; trying again',
        )
        await sleep(pauseMs, undefined, { signal }).catch(() => {})
      }
    }
    log.warn({ notifier: notifier.name, alert: notification.alertId, state: notification.state }, 'stopped before the alert was taken')
  }

  return {
    send(notification: Notification): void {
      for (const [index, notifier] of notifiers.entries()) {
        const key = `${index}/${notification.alertId}`
        const before = underWay.get(key) ?? Promise.resolve()
        const done = before.then(() => deliver(notifier, notification))
        underWay.set(key, done)
        void done.finally(() => underWay.get(key) === done && underWay.delete(key))
      }
    },
    /** Resolves when nothing is under way. */
    async settled(): Promise<void> {
      while (underWay.size > 0) await Promise.all(underWay.values())
    },
  }
}

export type Delivery = ReturnType<typeof delivery>
