// Alerts into a function of the same process, such as the terminal view's.
import type { Notification, Notifier } from '../ports/notifier.ts'

export function callbackNotifier(name: string, callback: (notification: Notification) => void): Notifier {
  return {
    name,
    notify(notification) {
      callback(notification)
      return Promise.resolve()
    },
  }
}

/** The cell as people read it: `channel ad`, or `all`. */
export const cellText = ({ dimension, value }: Pick<Notification, 'dimension' | 'value'>): string =>
  dimension === 'all' ? 'all' : `${dimension} ${value}`
