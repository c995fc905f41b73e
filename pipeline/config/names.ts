// The names of databases and topics that follow from an input topic's name.

export const defaultTopic = 'behavior-events'
export const defaultSignalsTopic = 'customer-signals'
export const defaultGroup = 'reelpulse'

/** The ClickHouse database of a topic: each has its own, because tables carry no topic column. */
export function databaseOf(topic: string): string {
  return topic === defaultTopic ? 'reelpulse' : `reelpulse_${topic.replace(/[^A-Za-z0-9]+/g, '_')}`
}

/** The compacted topic that holds the state of a topic's users, as one consumer group knows it. */
export function changelogOf(topic: string, group: string = defaultGroup): string {
  return `${group}.${topic}.user-state`
}

/** Customer signals beside a topic of behaviour; they have a database of their own, as every input topic. */
export function signalsTopicOf(topic: string): string {
  return topic === defaultTopic ? defaultSignalsTopic : `${topic}.${defaultSignalsTopic}`
}

export function isSignalsTopic(topic: string): boolean {
  return topic === defaultSignalsTopic || topic.endsWith(`.${defaultSignalsTopic}`)
}

/** What whoever reads a topic of behaviour, or the signals beside it, may read: its own database first. */
export function readableDatabasesOf(topic: string): string[] {
  const behavior =
    topic === defaultSignalsTopic ? defaultTopic : isSignalsTopic(topic) ? topic.slice(0, -`.${defaultSignalsTopic}`.length) : topic
  return [...new Set([topic, behavior, signalsTopicOf(behavior)])].map(databaseOf)
}

export function rejectedTopicOf(topic: string): string {
  return `${topic}.rejected`
}

export function tierChangesTopicOf(topic: string): string {
  return topic === defaultTopic ? 'tier-changes' : `${topic}.tier-changes`
}

export function alertsTopicOf(topic: string): string {
  return topic === defaultTopic ? 'kpi-alerts' : `${topic}.kpi-alerts`
}
