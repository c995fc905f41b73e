// Alerts into a function of the same process, such as the terminal view's.
import type { Notification, Notifier } from '../ports/notifier.ts'

export function callbackNotifier(name: string, callback: (notification: Notification) => void): Notifier {
  return {
    name,
    isLocal: true,
    notify(notification) {
      callback(notification)
      return Promise.resolve()
    },
  }
}
