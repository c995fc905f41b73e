// Membership of a consumer group, for its assignment only. kafkajs's consumer is not used: it has no revoke callback, and its rebalances
// hang or spin (its issues #1046, #1097, #1122, #1593, #1616, see docs/decisions/kafka-adapter.md). Its requests are.

import kafkajs from 'kafkajs'
import type { Broker } from 'kafkajs/src/cluster/index.js'
import type { GroupHandlers, Membership } from '../../ports/log.ts'
import { assignPartitions } from '../shared/assignment.ts'
import { closeCluster, coordinator, mayPass, originOf, pause, type KafkaClient } from './client.ts'

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol
const protocol = 'reelpulse-sticky'

export type GroupMembership = Membership & {
  /** Commits an offset as this member, for lag monitors: does nothing where the group takes none now. */
  commitOffset(partition: number, nextOffset: number): Promise<void>
}

export type MembershipOptions = {
  group: string
  topic: string
  partitions: number
  handlers: GroupHandlers
  sessionTimeoutMs: number
}

/** Resolves once the member is in the group and has its first assignment. */
export async function joinGroup(client: KafkaClient, options: MembershipOptions): Promise<GroupMembership> {
  const { group, topic, partitions, handlers, sessionTimeoutMs } = options
  // Time for two more tries before the session is over.
  const requestTimeoutMs = Math.max(500, sessionTimeoutMs / 3)
  const cluster = client.newCluster(requestTimeoutMs)
  const owned = new Set<number>()
  let member: { broker: Broker; memberId: string; generation: number } | undefined
  let memberId = ''
  let closed = false
  let interrupt = () => {}
  let sessionTimer: NodeJS.Timeout | undefined

  function own(wanted: readonly number[]): void {
    for (const partition of owned) {
      if (wanted.includes(partition)) continue
      owned.delete(partition)
      handlers.revoked(partition)
    }
    for (const partition of wanted) {
      if (owned.has(partition)) continue
      owned.add(partition)
      handlers.assigned(partition)
    }
  }

  /** The coordinator counts from when it got our last sign of life, which is after we sent it. */
  function aliveSince(sentAt: number): void {
    clearTimeout(sessionTimer)
    if (closed) return
    sessionTimer = setTimeout(
      () => {
        client.warn(`${group}: not heard by its coordinator for ${sessionTimeoutMs} ms, giving up partitions`, {
          topic,
          partitions: [...owned],
        })
        own([])
      },
      sentAt + sessionTimeoutMs - performance.now(),
    )
  }

  /**
   * Joins, and takes part in the assignment. Partitions are kept meanwhile: an owner that comes after us fences us, so being late is
   * harmless, while giving up a partition that comes back means loading its state again.
   */
  async function join(): Promise<void> {
    const broker = await coordinator(cluster, 'group', group, topic)
    const startedAt = performance.now()
    const userData = Buffer.from(JSON.stringify([...owned]))
    const joined = await broker.joinGroup({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      // Members learn of a rebalance with a heartbeat; who does not join in by then is gone.
      rebalanceTimeout: Math.max(5_000, sessionTimeoutMs),
      memberId,
      groupProtocols: [{ name: protocol, metadata: MemberMetadata.encode({ version: 0, topics: [topic], userData }) }],
    })
    memberId = joined.memberId
    const lead = joined.leaderId === memberId
    const { memberAssignment } = await broker.syncGroup({
      groupId: group,
      generationId: joined.generationId,
      memberId,
      groupAssignment: lead ? assignment(joined.members) : [],
    })
    if (closed) return
    const mine = MemberAssignment.decode(memberAssignment)?.assignment[topic] ?? []
    member = { broker, memberId, generation: joined.generationId }
    aliveSince(Math.max(startedAt, performance.now() - sessionTimeoutMs / 2))
    own(mine)
  }

  function assignment(members: { memberId: string; memberMetadata: Buffer }[]) {
    const wishes = members.flatMap(({ memberId: id, memberMetadata }) => {
      const metadata = MemberMetadata.decode(memberMetadata)
      // A group that is shared with members of another topic: theirs is theirs.
      if (!metadata?.topics.includes(topic)) return []
      return [{ id, owned: parseOwned(metadata.userData) }]
    })
    return [...assignPartitions(partitions, wishes)].map(([id, mine]) => ({
      memberId: id,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: { [topic]: mine }, userData: Buffer.alloc(0) }),
    }))
  }

  async function beat(): Promise<void> {
    if (!member) return
    const sentAt = performance.now()
    await member.broker.heartbeat({ groupId: group, groupGenerationId: member.generation, memberId })
    aliveSince(sentAt)
  }

  async function live(onJoined: () => void, onRefused: (error: Error) => void): Promise<void> {
    let failures = 0
    while (!closed) {
      try {
        if (!member) {
          await join()
          if (!closed) onJoined()
        } else {
          await sleepUnlessInterrupted(sessionTimeoutMs / 10)
          if (!closed) await beat()
        }
        failures = 0
      } catch (error) {
        if (closed) return
        member = undefined
        const { type, message } = originOf(error)
        if (type === 'REBALANCE_IN_PROGRESS') continue
        if (type === 'UNKNOWN_MEMBER_ID' || type === 'ILLEGAL_GENERATION' || type === 'FENCED_INSTANCE_ID') {
          // The group has gone on without us.
          if (type !== 'ILLEGAL_GENERATION') memberId = ''
          own([])
          continue
        }
        if (!mayPass(error)) {
          own([])
          client.warn(`${group}: cannot take part, still trying`, { topic, error: message })
          onRefused(error as Error)
        }
        if (++failures % 10 === 5)
          client.warn(`${group}: its coordinator does not answer, still trying`, { topic, attempt: failures, error: message })
        await pause(Math.min(2_000, 25 * 2 ** Math.min(failures, 10)))
      }
    }
  }

  function sleepUnlessInterrupted(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      interrupt = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    clearTimeout(sessionTimer)
    interrupt()
    own([])
    // Best done, so that the others need not wait for our session to end; but a broker that is away is not waited for.
    await Promise.race([leave().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
    await closeCluster(cluster)
    await living
  }

  async function leave(): Promise<void> {
    if (memberId === '') return
    if (member) {
      await member.broker.leaveGroup({ groupId: group, memberId })
      return
    }
    // The connection is taken by a request to join, which is answered when all others have joined.
    const another = client.newCluster(requestTimeoutMs)
    try {
      await (await coordinator(another, 'group', group, topic)).leaveGroup({ groupId: group, memberId })
    } finally {
      await closeCluster(another)
    }
  }

  let living: Promise<void> = Promise.resolve()
  try {
    await new Promise<void>((resolve, reject) => {
      living = live(resolve, reject)
    })
  } catch (error) {
    await close()
    throw error
  }

  return {
    async commitOffset(partition, nextOffset) {
      if (!member) return
      try {
        await member.broker.offsetCommit({
          groupId: group,
          groupGenerationId: member.generation,
          memberId,
          topics: [{ topic, partitions: [{ partition, offset: String(nextOffset) }] }],
        })
      } catch (error) {
        // A group that is changing takes no offsets; the next one says more than this one would have.
        client.debug(`${group}: offset ${nextOffset} of ${topic}/${partition} was not committed`, { error: originOf(error).message })
      }
    },
    close,
  }
}

function parseOwned(userData: Buffer): number[] {
  try {
    const parsed: unknown = JSON.parse(userData.toString())
    return Array.isArray(parsed) ? parsed.filter((partition) => Number.isInteger(partition)) : []
  } catch {
    return []
  }
}
