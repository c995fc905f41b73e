// One simulated run: the real process role in several processes over simulated brokers and store, with everything going
// wrong that its seed says, then a calm end; and what is wrong with what it left.
import { defaultSettings } from '../../operators/settings.ts'
import { decodeRows } from '../../schemas/row-binary.ts'
import { blockTables, signalBlockTables } from '../../schemas/tables/catalogue.ts'
import { behaviorWork } from '../roles/process/behavior-work.ts'
import type { OutboxTopics } from '../roles/process/outbox.ts'
import { signalWork } from '../roles/process/signal-work.ts'
import type { WorkMaker } from '../roles/process/work.ts'
import { userFeaturesTable } from '../../schemas/tables/user-features.ts'
import { startProcess, type ProcessRole } from '../roles/process/process.ts'
import { app, behaviorMessages, signalMessages, type Messages } from './app.ts'
import { chance } from './chance.ts'
import { findings, lastCheckpoint } from './judge.ts'
import { logServer } from './log-server.ts'
import { simulatedLog } from './log.ts'
import { drawScenario, type Scenario } from './scenario.ts'
import { simulatedStore, storeServer, type StoredPart } from './store.ts'
import { host, network, world, type CallFault, type Host } from './world.ts'

export type RunResult = {
  seed: number
  /** What is wrong, in words. */
  findings: string[]
  flushes: number
  events: number
  owners: number
  kills: number
  pauses: number
  parts: number
}

/** What the topic holds. */
export type Subject = {
  readonly topic: string
  readonly outbox: OutboxTopics
  readonly work: WorkMaker
  readonly tables: readonly string[]
  messages(users: number): Messages
}

export const behavior: Subject = {
  topic: 'behavior-events',
  outbox: { tierChanges: 'tier-changes', rejected: 'rejected' },
  work: behaviorWork,
  tables: blockTables.map(({ name }) => name),
  messages: behaviorMessages,
}
export const signals: Subject = {
  topic: 'customer-signals',
  outbox: { rejected: 'rejected' },
  work: signalWork,
  tables: signalBlockTables.map(({ name }) => name),
  messages: signalMessages,
}

const settings = { ...defaultSettings, emitMs: 1_000 }
const sessionTimeoutMs = 3_000
const patienceMs = 2_000
/** So long may the calm end take, in the run's own time. */
const calmMs = 600_000

/** One process of the group, through all its lives. */
type Member = { name: string; host: Host; role: ProcessRole | undefined; ended: boolean }

export async function simulate(seed: number, tell?: (line: string) => void, subject: Subject = behavior): Promise<RunResult> {
  const { topic, work, tables: blockTableNames } = subject
  const names = { group: 'reelpulse', changelog: 'user-state', outbox: subject.outbox }
  const draw = chance(seed, 1)
  const scenario = drawScenario(draw)
  const room = world(scenario.startMs)
  const net = network(room, chance(seed, 2), patienceMs)
  const brokers = logServer(room, chance(seed, 3), sessionTimeoutMs, scenario.slowTidings)
  const store = storeServer(scenario.windowBlocks)
  const faults = chance(seed, 4)
  const clients = chance(seed, 5)
  let calm = false
  let storeAway = false
  let kills = 0
  let pauses = 0
  let owners = 0
  const stops: string[] = []
  const merged = new Set<string>()
  const say = (line: string) => tell?.(`${new Date(room.now()).toISOString().slice(11, 23)} ${line}`)

  const faultOf = (probability: number): CallFault => {
    if (calm || !faults.is(probability)) return 'none'
    return faults.one(['refused', 'request lost', 'reply lost', 'late'] as const)
  }
  const storeFault = (): CallFault =>
    storeAway && !calm ? faults.one(['refused', 'request lost', 'reply lost'] as const) : faultOf(scenario.storeFaults)

  brokers.create(topic, scenario.partitions, 'append', false)
  const phone = host(room, 'app')
  const sdk = app(
    room,
    phone,
    simulatedLog(room, brokers, phone, net, clients, () => faultOf(scenario.logFaults)),
    topic,
    chance(seed, 6),
    { messages: subject.messages(scenario.users), everyMs: scenario.everyMs },
  )

  const members: Member[] = []
  let lives = 0
  let nightUntil = 0

  function start(name: string): void {
    if (room.now() < nightUntil) return room.after(nightUntil - room.now() + 1, () => start(name))
    const life = host(room, `${name}.${++lives}`)
    const member: Member = { name, host: life, role: undefined, ended: false }
    members.push(member)
    if (!calm && faults.is(0.2)) life.skew(faults.between(-7_200_000, 7_200_000))
    const ports = {
      log: simulatedLog(room, brokers, life, net, clients, () => faultOf(scenario.logFaults)),
      store: simulatedStore(store, life, net, storeFault, () => !calm && faults.is(scenario.storeDeaths)),
      clock: life.clock,
    }
    const role = startProcess({
      ...ports, topic, names, settings, work,
      newId: clients.uuid,
      blockSpanMs: scenario.blockSpanMs,
      checkpointMs: scenario.checkpointMs,
      resolve: () => 'unknown_schema',
      limits: { block: { events: scenario.limits.blockEvents, bytes: scenario.limits.blockBytes }, part: { rows: scenario.limits.partRows, bytes: scenario.limits.partBytes } },
      tell: (level, message, facts) => {
        say(`${life.name} ${level}: ${message} ${JSON.stringify(facts)}`)
        if (message.includes('as a new owner')) owners++
        if (level === 'error') stops.push(`${life.name}: ${message} ${JSON.stringify(facts)}`)
      },
    }) // prettier-ignore
    role.then(
      (started) => (member.role = started),
      (error: unknown) => {
        // The program ends, and whoever looks after it starts it again.
        say(`${life.name} did not start: ${String(error)}`)
        life.kill()
        member.ended = true
        room.after(500, () => start(name))
      },
    )
    say(`${life.name} starts`)
  }

  const checkpointOf = (partition: number) => lastCheckpoint(brokers, names.changelog, partition)
  const living = () => members.filter(({ host, ended }) => host.state() !== 'dead' && !ended)

  function kill(member: Member): void {
    say(`${member.host.name} is killed`)
    kills++
    member.host.kill()
    if (!calm) room.after(faults.between(50, 4_000), () => start(member.name))
  }

  function stopCleanly(member: Member): void {
    if (member.role === undefined || member.host.state() !== 'running') return
    say(`${member.host.name} is told to stop`)
    member.ended = true
    let gone = false
    const end = () => {
      if (gone) return
      gone = true
      member.host.kill()
      room.after(faults.between(10, 3_000), () => start(member.name))
    }
    void member.role.stop().then(end, end)
    // A stop that takes too long ends as whoever told it to stop ends it.
    room.after(8_000, end)
  }

  function pause(member: Member): void {
    if (member.host.state() !== 'running') return
    const ms = faults.between(200, 3 * sessionTimeoutMs)
    say(`${member.host.name} is paused for ${ms} ms`)
    pauses++
    member.host.pause()
    room.after(ms, () => member.host.resume())
  }

  /** All die; when the first comes back, the windows of tokens are long over. */
  function longNight(): void {
    say('all are killed, and the windows of tokens move on')
    // What they had sent has arrived by then, or never will.
    nightUntil = room.now() + 3 * patienceMs + 100
    room.after(nightUntil - room.now(), () => store.forgetTokens())
    const asleep = members.filter(({ host }) => host.state() !== 'dead')
    for (const member of asleep) {
      kills++
      member.host.kill()
      if (!member.ended) room.after(faults.between(50, 2_000), () => start(member.name))
    }
  }

  function merge(): void {
    const parts = store.parts('user_features')
    if (parts.length < 2) return
    const victim = parts[faults.between(0, parts.length)]!
    const newest = new Map<string, number>()
    for (const part of parts)
      if (part !== victim) for (const [user, asOf] of featureRows(part)) newest.set(user, Math.max(newest.get(user) ?? 0, asOf))
    if (!featureRows(victim).every(([user, asOf]) => (newest.get(user) ?? 0) > asOf)) return
    merged.add(`user_features/${victim.partition}/${victim.firstOffset}/${victim.part}`)
    store.drop('user_features', (part) => part === victim)
  }

  /** Lets all be processed and stops cleanly. A stop may come while a partition has no owner that could checkpoint it: then once more. */
  async function bringToAnEnd(): Promise<string[]> {
    const isBeyond = () =>
      blockTableNames.some((table) =>
        store.parts(table).some(({ partition, firstOffset }) => firstOffset >= checkpointOf(partition).nextOffset),
      )
    for (let tries = 0; tries < 5; tries++) {
      const ends = brokers.topics.get(topic)!.partitions.map(({ end }) => end)
      const isKept = () => ends.every((end, partition) => checkpointOf(partition).nextOffset >= end)
      if (living().length === 0) start('last')
      if (!(await room.run(() => stops.length > 0 || isKept(), room.now() + calmMs)))
        return [`not all was processed within ${calmMs} ms of calm`]
      if (stops.length > 0) return [...stops]
      const last = living()
      let going = 0
      for (const member of last) {
        member.ended = true
        going++
        void (member.role?.stop() ?? Promise.resolve()).then(() => going--)
      }
      if (!(await room.run(() => going === 0, room.now() + calmMs))) return [`a stop did not end within ${calmMs} ms of calm`]
      for (const { host } of last) host.kill()
      if (!isBeyond()) return []
    }
    return ['five stops in calm left rows beyond the last checkpoint']
  }

  const happenings: Record<keyof Scenario['every'], () => void> = {
    kill: () => living().length > 0 && kill(faults.one(living())),
    pause: () => living().length > 0 && pause(faults.one(living())),
    cleanStop: () => living().length > 0 && stopCleanly(faults.one(living())),
    longNight,
    compaction: () => brokers.compact(names.changelog),
    merge,
    storeOutage() {
      say('the store is away')
      storeAway = true
      room.after(faults.between(500, 9_000), () => (storeAway = false))
    },
    brokerClock() {
      const ahead = faults.one([-3_000, 2_000, 3_600_000, 27 * 3_600_000, 8 * 86_400_000])
      say(`the brokers' clocks jump by ${ahead} ms`)
      brokers.skewClock((skewMs += ahead))
    },
  }
  let skewMs = 0
  for (const [what, meanMs] of Object.entries(scenario.every) as [keyof Scenario['every'], number][]) {
    if (meanMs === Infinity) continue
    const again = () => {
      if (calm) return
      if (brokers.topics.has(names.changelog)) happenings[what]()
      room.after(-Math.log(1 - faults.unit()) * meanMs, again)
    }
    room.after(-Math.log(1 - faults.unit()) * meanMs, again)
  }

  for (let i = 0; i < scenario.members; i++) room.after(faults.between(0, 1_500), () => start(`m${i}`))
  sdk.start()
  await room.run(() => room.now() >= scenario.startMs + scenario.durationMs, Infinity)

  calm = true
  say('the calm begins')
  sdk.stop()
  for (const { host } of members) host.resume()
  await room.run(sdk.isQuiet, room.now() + calmMs)
  const targets = brokers.topics.get(topic)!.partitions.map(({ end }) => end)
  const found = await bringToAnEnd()
  if (found.length === 0)
    found.push(
      ...findings(brokers, store, {
        topic,
        changelog: names.changelog,
        outbox: names.outbox,
        settings,
        work,
        limits: scenario.limits,
        targets,
        merged,
      }),
    )
  return {
    seed, findings: found, flushes: sdk.flushes(), events: room.events(), owners, kills, pauses,
    parts: blockTableNames.reduce((sum, table) => sum + store.parts(table).length, 0),
  } // prettier-ignore
}

const rowsOfParts = new WeakMap<StoredPart, [user: string, asOf: number][]>()
function featureRows(part: StoredPart): [user: string, asOf: number][] {
  let rows = rowsOfParts.get(part)
  if (rows === undefined)
    rowsOfParts.set(part, (rows = decodeRows(userFeaturesTable.record, part.rows).map(({ user_id, as_of }) => [user_id, as_of])))
  return rows
}
