// What a million users weigh: one process, all operators, four partitions, a month of pipeline/bench/users.ts.
//
//   node pipeline/bench/memory.ts [<users>]
import { partitionOf } from '../../operators/hash.ts'
import { benchOperator } from './operator.ts'
import { busyOf, usersMonth } from './users.ts'

const users = Number(process.argv[2] ?? 1_000_000)
const partitions = 4

const operators = Array.from({ length: partitions }, (_, partition) => benchOperator(partition, partitions))
let offset = 0
usersMonth(users).live((key, at, value) => operators[partitionOf(key, partitions)]!.apply(offset++, at, key, value, undefined))

const total = (of: (operator: (typeof operators)[number]) => number) => operators.reduce((sum, operator) => sum + of(operator), 0)
if (total(({ counters }) => counters.duplicates) !== 0) throw new Error('the workload repeats ids')
globalThis.gc?.()
process.stdout.write(
  `${JSON.stringify({
    users: total((operator) => operator.users.count()),
    busyUsers: busyOf(users),
    events: total(({ counters }) => counters.events),
    tiles: total(({ windows }) => windows.tiles()),
    rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  })}\n`,
)
