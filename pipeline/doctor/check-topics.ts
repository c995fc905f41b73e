// Checks of the topics: what they are, how they keep what recovery needs, and what the brokers allow.
import { defaultTopic } from '../config/names.ts'
import type { TopicDescription } from '../ports/log.ts'
import { maxMessageBytes } from '../roles/process/process.ts'
import type { LogFacts, Place, TopicRole } from './facts.ts'
import { count, findingsOf, instant, onTopic, span, type Finding } from './finding.ts'

const hourMs = 3_600_000
/** Beyond the oldest checkpoint, the input must last a night in which nobody repairs anything. */
export const retentionMarginMs = 24 * hourMs
/** `reelpulse replay` can bring back rejected records for as long as they are kept: a fix of a writer takes days. */
export const rejectedRetentionMs = 7 * 24 * hourMs

const roles: readonly TopicRole[] = ['input', 'changelog', 'tierChanges', 'rejected']

export function checkLog(log: Place<LogFacts>, nowMs: number): Finding[] {
  const say = findingsOf('log', 'log', 'everything begins with it')
  if (log.state === 'absent')
    return [
      say.warning(
        'there is none yet',
        'npm start, or reelpulse simulate or import; REELPULSE_DATA where it lies elsewhere; KAFKA_BROKERS for Kafka',
        log.where,
      ),
    ]
  if (log.state === 'away')
    return [
      say.problem(`cannot be looked at: ${log.why}`, 'start it, or correct KAFKA_BROKERS and the login (reelpulse config)', log.where),
    ]
  const { facts } = log
  const input = facts.topics.input
  const answers = say.ok('answers', facts.where)
  if (input === undefined) return [answers, checkInputThere(facts)]
  return [
    answers,
    checkInputThere(facts),
    ...checkTimestamps(facts, input),
    ...checkDerivedThere(facts),
    ...checkPartitionCounts(facts, input),
    ...checkCompaction(facts),
    ...checkMessageSize(facts),
    ...checkRetention(facts, input, nowMs),
    ...checkReplication(facts),
    ...checkTransactions(facts),
  ]
}

const isBegun = (facts: LogFacts) =>
  facts.topics.changelog !== undefined || facts.partitions.some(({ checkpoint }) => 'value' in checkpoint && checkpoint.value !== undefined)

/** The command that sets a topic's configuration; the embedded log has none. */
function configure({ kind, where }: LogFacts, topic: string, config: string): string {
  if (kind === 'embedded')
    return "the embedded log's topics stay as they were made: stop all processes, move the data directory away, and begin anew"
  return `kafka-configs.sh --bootstrap-server ${where} --alter --entity-type topics --entity-name ${topic} --add-config ${config}`
}

function checkInputThere(facts: LogFacts): Finding {
  const say = findingsOf('log', 'topic', 'flushes come in through it')
  const { input: name } = facts.names
  const { input } = facts.topics
  if (input !== undefined) {
    const records = input.partitions.reduce((sum, { begin, end }) => sum + end - begin, 0)
    return say.ok(`${input.partitions.length} partitions, ${count(records)} offsets`, name)
  }
  if (isBegun(facts))
    return say.problem(
      `is missing, though ${facts.names.changelog} holds what was made of it`,
      'correct REELPULSE_TOPIC, or bring the topic back; to begin anew, delete the changelog and drop the database too',
      name,
    )
  if (name === defaultTopic) return say.warning('is not there yet', 'reelpulse process makes it', name)
  return say.problem('is missing', 'correct --topic, or fill it: reelpulse simulate and reelpulse import make it', name)
}

export function checkTimestamps(facts: LogFacts, input: TopicDescription): Finding[] {
  const say = findingsOf('log', 'timestamps', "a partition's clock is the largest timestamp in it")
  return roles.flatMap((role): Finding[] => {
    const topic = facts.topics[role]
    const name = facts.names[role]
    if (topic === undefined || name === undefined) return []
    const typeName = topic.timestamps === 'append' ? 'LogAppendTime' : 'CreateTime'
    const fix = (type: string) => configure(facts, name, `message.timestamp.type=${type}`)
    if (role === 'input') {
      if (name !== defaultTopic || topic.timestamps === 'append') return [say.ok(typeName, name)]
      return [
        say.problem(
          'CreateTime on the live topic: one producer whose clock is ahead moves the time of everybody, for ever',
          fix('LogAppendTime'),
          name,
        ),
      ]
    }
    const wanted = role === 'changelog' ? 'append' : input.timestamps
    if (topic.timestamps === wanted) return [say.ok(typeName, name)]
    const wantedName = wanted === 'append' ? 'LogAppendTime' : 'CreateTime'
    return [say.problem(`${typeName}, and process wants ${wantedName}: it will not start`, fix(wantedName), name)]
  })
}

function checkDerivedThere(facts: LogFacts): Finding[] {
  const say = findingsOf('log', 'topic', 'process writes it')
  return roles.slice(1).flatMap((role) => {
    const name = facts.names[role]
    const topic = facts.topics[role]
    if (name === undefined) return []
    if (topic !== undefined) return [say.ok('is there', name)]
    if (!isBegun(facts)) return [say.ok('not there yet: process makes it', name)]
    return [say.problem('is missing, though the topic is being processed', 'start reelpulse process anew: it makes it', name)]
  })
}

function checkPartitionCounts(facts: LogFacts, input: TopicDescription): Finding[] {
  const say = findingsOf('log', 'partitions', 'what is made of partition n goes to partition n')
  const wanted = input.partitions.length
  return roles.slice(1).flatMap((role) => {
    const found = facts.topics[role]?.partitions.length
    if (found === undefined) return []
    const name = facts.names[role]
    if (found === wanted) return [say.ok(`${found}, as ${facts.names.input}`, name)]
    return [
      say.problem(
        `${found}, and ${facts.names.input} has ${wanted}: process will not start`,
        onTopic('repartition', facts.names.input),
        name,
      ),
    ]
  })
}

function checkCompaction(facts: LogFacts): Finding[] {
  const say = findingsOf('log', 'compaction', 'the latest state of every user must stay, and no older one need')
  const { changelog } = facts.topics
  const name = facts.names.changelog
  if (changelog === undefined) return []
  if (!changelog.compacted)
    return [say.problem('is not compacted: it grows for ever, or loses users', configure(facts, name, 'cleanup.policy=compact'), name)]
  if (changelog.retentionMs !== undefined || changelog.retentionBytes !== undefined)
    return [
      say.problem('is compacted, but drops by age or size too: users are lost', configure(facts, name, 'cleanup.policy=compact'), name),
    ]
  return [say.ok('compacted, and nothing is dropped by age', name)]
}

function checkMessageSize(facts: LogFacts): Finding[] {
  const say = findingsOf('log', 'message size', 'a record that is refused stops its partition')
  return roles.slice(1).flatMap((role) => {
    const found = facts.topics[role]?.maxMessageBytes
    const name = facts.names[role]
    if (found === undefined || name === undefined) return []
    if (found >= maxMessageBytes) return [say.ok(`up to ${count(found)} bytes`, name)]
    const config = `max.message.bytes=${maxMessageBytes + 512}`
    return [say.problem(`up to ${count(found)} bytes, want ${count(maxMessageBytes)}`, configure(facts, name, config), name)]
  })
}

/** The instant of the earliest record that recovery may need: the clock at the oldest checkpoint. */
function oldestCheckpoint(facts: LogFacts): number | undefined {
  const clocks = facts.partitions.flatMap(({ checkpoint }) =>
    'value' in checkpoint && checkpoint.value !== undefined && Number.isFinite(checkpoint.value.clock) ? [checkpoint.value.clock] : [],
  )
  return clocks.length === 0 ? undefined : Math.min(...clocks)
}

export function checkRetention(facts: LogFacts, input: TopicDescription, nowMs: number): Finding[] {
  const say = findingsOf('log', 'retention', 'recovery reads on from the last checkpoint')
  const name = facts.names.input
  const found: Finding[] = []
  const { retentionMs } = input
  const raise = configure(facts, name, 'retention.ms=-1')
  if (retentionMs === undefined) found.push(say.ok('for ever', name))
  else if (input.timestamps === 'create')
    found.push(say.problem(`${span(retentionMs)} by timestamps that writers choose: a backfill's records are older at once`, raise, name))
  else {
    const oldest = oldestCheckpoint(facts)
    const behindMs = oldest === undefined ? 0 : Math.max(0, nowMs - oldest)
    const wantedMs = retentionMarginMs + behindMs
    const wants = `${span(wantedMs)} (a day${oldest === undefined ? '' : ` and ${span(behindMs)} since the oldest checkpoint's clock, ${instant(oldest)}`})`
    if (retentionMs >= wantedMs) found.push(say.ok(`${span(retentionMs)}; recovery needs ${wants}`, name))
    else found.push(say.problem(`${span(retentionMs)}; recovery needs ${wants}`, raise, name))
  }
  if (input.retentionBytes !== undefined)
    found.push(
      say.warning(
        `retention.bytes is ${count(input.retentionBytes)}: a burst of traffic can push out what is not processed yet`,
        configure(facts, name, 'retention.bytes=-1'),
        name,
      ),
    )
  return [...found, ...checkRejectedRetention(facts)]
}

function checkRejectedRetention(facts: LogFacts): Finding[] {
  const say = findingsOf('log', 'retention', 'reelpulse replay can bring back what is kept')
  const { rejected } = facts.topics
  const name = facts.names.rejected
  if (rejected === undefined) return []
  const { retentionMs = Infinity } = rejected
  if (retentionMs === Infinity) return [say.ok('for ever', name)]
  if (retentionMs >= rejectedRetentionMs) return [say.ok(span(retentionMs), name)]
  const config = `retention.ms=${rejectedRetentionMs}`
  return [say.warning(`${span(retentionMs)}, less than ${span(rejectedRetentionMs)}`, configure(facts, name, config), name)]
}

function checkReplication(facts: LogFacts): Finding[] {
  const say = findingsOf('log', 'replication', 'what is acknowledged must outlive a broker')
  const brokers = 'value' in facts.cluster ? facts.cluster.value?.brokers : undefined
  return roles.flatMap((role): Finding[] => {
    const kept = facts.topics[role]?.replication
    const name = facts.names[role]
    if (kept === undefined || name === undefined) return []
    const { replicas, inSync, minInSync } = kept
    const found = `${replicas} replicas, ${inSync} in sync, at least ${minInSync} to acknowledge`
    if (kept.uncleanElection)
      return [
        say.problem(
          'unclean leader election is on: a replica that lacks acknowledged records may lead',
          configure(facts, name, 'unclean.leader.election.enable=false'),
          name,
        ),
      ]
    if (brokers === 1 || brokers === undefined) return [say.ok(`${found}${brokers === 1 ? '; the cluster has one broker' : ''}`, name)]
    if (replicas === 1)
      return [
        say.problem(
          `one replica on a cluster of ${brokers} brokers: it is lost with its broker`,
          'kafka-reassign-partitions.sh with two or three replicas for each partition',
          name,
        ),
      ]
    const minFix = configure(facts, name, 'min.insync.replicas=2')
    if (minInSync === 1) return [say.warning(`${found}: one broker alone may acknowledge, and then be lost`, minFix, name)]
    if (inSync < minInSync) return [say.problem(`${found}: nothing can be written`, 'bring the missing brokers back', name)]
    return [say.ok(found, name)]
  })
}

function checkTransactions({ kind, cluster, where }: LogFacts): Finding[] {
  const say = findingsOf('log', 'transactions', 'every checkpoint is one')
  if (kind === 'embedded') return []
  if ('unknown' in cluster) return [say.unchecked(`the brokers' settings cannot be seen: ${cluster.unknown}`)]
  const { maxTransactionTimeoutMs: most, transactionTimeoutMs: asked } = cluster.value ?? {}
  if (most === undefined || asked === undefined) return [say.unchecked("the brokers' settings cannot be seen")]
  const found = `transaction.max.timeout.ms is ${count(most)}, owners ask for ${count(asked)}`
  if (most >= asked) return [say.ok(found)]
  const fix = `kafka-configs.sh --bootstrap-server ${where} --alter --entity-type brokers --entity-default --add-config transaction.max.timeout.ms=${asked}`
  return [say.problem(`${found}: every one is refused`, fix)]
}
