// A process that dies after its n-th write: every write before it is done, nothing comes after it.
import type { Log, PartitionOwner } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'

export class Died extends Error {
  override name = 'Died'
}

export type Dying = {
  log: Log
  store: Store
  /** Writes so far. */
  writes(): number
}

/** The ports as a process sees them that dies once its n-th write is done, and before anybody tells it so. Reads count as nothing. */
export function dyingAfter(n: number, ports: { log: Log; store: Store }): Dying {
  let writes = 0
  let dead = false
  const alive = () => {
    if (dead) throw new Died(`died after write ${n}`)
  }
  async function write<T>(work: () => Promise<T>): Promise<T> {
    alive()
    const result = await work()
    alive()
    if (++writes < n) return result
    dead = true
    throw new Died(`died after write ${n}`)
  }
  const { log, store } = ports
  const dyingOwner = (owner: PartitionOwner): PartitionOwner => ({
    ...owner,
    commit: (checkpoint) => write(() => owner.commit(checkpoint)),
  })
  return {
    writes: () => writes,
    log: {
      ...log,
      createTopic: async (spec) => {
        // To find it as it is writes nothing.
        if ((await log.describeTopic(spec.topic)) !== undefined) return log.createTopic(spec)
        return write(() => log.createTopic(spec))
      },
      addPartitions: async (topic, count) => {
        if ((await log.describeTopic(topic))?.partitions.length === count) return
        return write(() => log.addPartitions(topic, count))
      },
      append: (topic, records) => write(() => log.append(topic, records)),
      claim: (options) => write(() => log.claim(options)).then(dyingOwner),
    },
    store: {
      ...store,
      insert: (block) => write(() => store.insert(block)),
      command: (sql, params) => write(() => store.command(sql, params)),
    },
  }
}
