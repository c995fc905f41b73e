// Checks of the rows themselves: each once, none missing between two blocks, none missing that a checkpoint stands for.
import type { LogFacts, Place, StoreFacts } from './facts.ts'
import type { Hole } from '../roles/process/checkpoint.ts'
import { clockRowsDays } from './gather-rows.ts'
import { count, findingsOf, type Finding } from './finding.ts'

const anew = 'reelpulse verify says what is wrong; process the topic anew (docs/guide/running.md)'

export function checkRows(store: Place<StoreFacts>, log: Place<LogFacts>, nowMs: number): Finding[] {
  const looked = store.state === 'found' && !isEmpty(store.facts) ? [...checkCopies(store.facts), ...checkContiguous(store.facts, log)] : []
  return [...looked, ...checkBehindCheckpoint(store, log, nowMs)]
}

function checkCopies({ rows }: StoreFacts): Finding[] {
  const say = findingsOf('rows', 'once', 'a row twice counts twice')
  return rows.copies.map(({ table, found }) => {
    if ('unknown' in found) return say.unchecked(found.unknown, table)
    const total = found.value.reduce((sum, { rows }) => sum + rows, 0)
    const doubled = found.value.filter(({ copies }) => copies > 0)
    if (doubled.length === 0) return say.ok(`the newest ${count(total)} rows, each once`, table)
    const where = doubled.map(({ partition, copies, fromOffset }) => `${count(copies)} in partition ${partition} from offset ${fromOffset}`)
    return say.problem(`of the newest ${count(total)} rows too many: ${where.slice(0, 4).join(', ')}`, anew, table)
  })
}

/** What `reelpulse skip` passed over, by partition. */
function holesIn(log: Place<LogFacts>): Map<number, readonly Hole[]> {
  if (log.state !== 'found') return new Map()
  return new Map(
    log.facts.partitions.map(({ partition, checkpoint }) => [partition, joined(('value' in checkpoint && checkpoint.value?.holes) || [])]),
  )
}

/** Skipped twice before a block came between, it is one hole. */
function joined(holes: readonly Hole[]): Hole[] {
  const found: Hole[] = []
  for (const hole of holes) {
    const before = found.at(-1)
    if (before?.to === hole.from) found[found.length - 1] = { ...before, to: hole.to }
    else found.push(hole)
  }
  return found
}

function checkContiguous({ rows }: StoreFacts, log: Place<LogFacts>): Finding[] {
  const say = findingsOf('rows', 'blocks join', 'each block begins where the one before ended')
  if ('unknown' in rows.clocks) return [say.unchecked(rows.clocks.unknown)]
  const holes = holesIn(log)
  const found = rows.clocks.value.flatMap(({ partition, gaps, gapsFrom, gapsTo, overlaps, overlapAt }): Finding[] => {
    const name = `partition ${partition}`
    const each = gapsFrom.map((from, i) => ({ from, to: gapsTo[i]! })).toSorted((a, b) => a.from - b.from)
    const known = each.filter(({ from, to }) => holes.get(partition)?.some((hole) => hole.from === from && hole.to === to))
    const first = each.find((gap) => !known.includes(gap))
    return [
      ...(first === undefined
        ? []
        : [
            say.problem(
              `${count(gaps - known.length)} gaps, the first from offset ${first.from} to ${first.to}: rows are missing`,
              log.state === 'found' ? anew : `where reelpulse skip went over it, all is as it should be; else ${anew}`,
              name,
            ),
          ]),
      ...(overlaps === 0
        ? []
        : [
            say.problem(
              `${count(overlaps)} blocks begin before the one before ended, the first at offset ${overlapAt}: rows are there twice`,
              anew,
              name,
            ),
          ]),
    ]
  })
  if (found.length > 0) return found
  const blocks = rows.clocks.value.reduce((sum, { blocks }) => sum + blocks, 0)
  return [say.ok(`${count(blocks)} blocks of the last ${clockRowsDays} days`)]
}

/** Where the database has no tables, that is told of them. */
const isEmpty = ({ tables, database }: StoreFacts) => 'value' in tables && !tables.value.some((table) => table.database === database)

/** By partition, where the store's blocks end: none where there are no tables. Undefined: not known. */
function endsIn(store: Place<StoreFacts>): Map<number, number> | undefined {
  if (store.state !== 'found') return store.state === 'absent' ? new Map() : undefined
  const { rows } = store.facts
  if ('value' in rows.clocks) return new Map(rows.clocks.value.map(({ partition, nextOffset }) => [partition, nextOffset]))
  return isEmpty(store.facts) ? new Map() : undefined
}

/** A checkpoint is made when everything before it is in the store. */
function checkBehindCheckpoint(store: Place<StoreFacts>, log: Place<LogFacts>, nowMs: number): Finding[] {
  const say = findingsOf('rows', 'checkpoints covered', 'what a checkpoint has passed is never inserted again')
  const ends = endsIn(store)
  if (log.state !== 'found' || ends === undefined) return []
  const holes = holesIn(log)
  const found: Finding[] = []
  let covered = 0
  for (const { partition, begin, checkpoint } of log.facts.partitions) {
    if ('unknown' in checkpoint || checkpoint.value === undefined) continue
    const { nextOffset, clock } = checkpoint.value
    const end = ends.get(partition)
    // Behind what `skip` went over there may be no block yet.
    const coveredTo = holes.get(partition)?.find(({ from }) => from === end)?.to ?? end
    // Of older blocks the clock rows expire. A checkpoint where the log begins has no block yet.
    if (clock < nowMs - (clockRowsDays - 1) * 86_400_000 || nextOffset <= begin) continue
    if (coveredTo !== undefined && coveredTo >= nextOffset) covered++
    else
      found.push(
        say.problem(
          `the checkpoint goes on at offset ${nextOffset}, ${end === undefined ? 'and the store has no block of it' : `the store's blocks end at ${end}`}: rows are missing`,
          'where the database was dropped or restored from a copy, process the topic anew (docs/guide/running.md)',
          `partition ${partition}`,
        ),
      )
  }
  if (found.length > 0) return found
  return covered === 0 ? [say.ok('no checkpoint young enough to compare')] : [say.ok(`${covered} checkpoints, none ahead of the store`)]
}
