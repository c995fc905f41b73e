// The live board under many browsers: what it asks of the store, what it sends, and whether its memory stays what it is.
import { readFileSync } from 'node:fs'
import { databaseOf, defaultSignalsTopic } from '../config/names.ts'
import { readAddress } from '../engine/address.ts'
import { questionKey } from '../roles/serve/watch-board.ts'
import { readWish } from '../roles/serve/wish.ts'
import { cpuSecondsOf } from '../start/process-cpu.ts'
import { openCrowd, people, places, type Crowd } from './crowd.ts'
import { serveBeside, startWithBoard } from './running-program.ts'
import { slopeOf, type Slope } from './slope.ts'

export type PanelLoad = {
  panel: string
  /** Different questions of it that anyone watched: one for each range and choice. */
  watched: number
  /** By how many browsers. */
  browsers: number
  /** Questions to the store a second, of each that is watched. */
  perSecond: number
  /** The most in any span between two samples. */
  mostPerSecond: number
  /** With one browser at each place. */
  alonePerSecond: number
}

/** `samplesMb`: one every fifteen seconds. */
export type MemoryLoad = { name: string; samplesMb: readonly number[]; slope: Slope }

export type BoardLoadFigures = {
  browsers: number
  minutes: number
  habits: Crowd['counts']
  panels: readonly PanelLoad[]
  /** Of all panels, beside one browser at each place. */
  questionsRatio: number
  errors: number
  updatesSent: number
  bytesSent: number
  updatesRead: number
  /** Of browsers that stay on the first place, the fewest and the most that any read. */
  fewest: number
  most: number
  dropped: number
  lost: number
  cpuPerMinuteS: number | undefined
  memory: readonly MemoryLoad[]
}

const aloneMs = 60_000
const settleMs = 30_000
const everyMs = 15_000

export async function measureBoardLoad(wish: { browsers: number; minutes: number; note(line: string): void }): Promise<BoardLoadFigures> {
  const { browsers, minutes, note } = wish
  const program = await startWithBoard(['--rate', '500'])
  // By itself: the other roles' state grows with the users that they meet.
  const board = await serveBeside(program).catch(async (error: unknown) => {
    await program.stop()
    throw error
  })
  let crowd: Crowd | undefined
  try {
    note(`the board runs at ${board.url}, alone in its process; one browser at each of ${places.length} places for ${aloneMs / 1000} s`)
    crowd = openCrowd(board.url, places.map(({ query: place }) => ({ place, habit: 'stays' }) as const)) // prettier-ignore
    await sleep(settleMs)
    const alone = await questionsIn(board.url, aloneMs)
    crowd.close()
    const wanted = people(browsers)
    crowd = openCrowd(board.url, wanted)
    note(`${browsers} browsers for ${minutes} min`)
    await sleep(settleMs)

    const enginePid = readAddress(program.dataDir)?.pid
    const samples: Sample[] = []
    const readBefore = crowd.updates()
    const startedAt = performance.now()
    for (let due = 0; due <= minutes * 60_000; due += everyMs) {
      await sleep(startedAt + due - performance.now())
      const counted = await metricsOf(board.url)
      const { heapUsed, external, rss } = await board.memory()
      samples.push({
        atMs: performance.now() - startedAt,
        counted,
        memory: { heap: heapUsed + external, rss, engine: rssOf(enginePid), start: rssOf(program.pid) },
        cpuS: cpuSecondsOf(board.pid),
      })
      if (samples.length > 1 && total(counted, dropped) > total(samples.at(-2)!.counted, dropped)) crowd.wake()
    }
    const read = crowd.updates()
    const [first, last] = [samples[0]!, samples.at(-1)!]
    const grown = (name: string) => total(last.counted, name) - total(first.counted, name)
    const ofEach = read.ofEach.map((updates, i) => updates - readBefore.ofEach[i]!)
    const panels = panelLoads(samples, alone, wanted.map(({ place }) => place)) // prettier-ignore
    const sum = (of: (panel: PanelLoad) => number) => panels.reduce((all, panel) => all + of(panel), 0)
    return {
      browsers,
      minutes,
      habits: crowd.counts,
      panels,
      questionsRatio: sum(({ perSecond, watched }) => perSecond * watched) / sum(({ alonePerSecond, watched }) => alonePerSecond * watched),
      errors: grown('reelpulse_panel_query_errors_total'),
      updatesSent: grown('reelpulse_board_updates_total'),
      bytesSent: grown('reelpulse_board_sent_bytes_total'),
      updatesRead: read.all - readBefore.all,
      fewest: Math.min(...ofEach),
      most: Math.max(...ofEach),
      dropped: grown(dropped),
      lost: crowd.lost(),
      cpuPerMinuteS: first.cpuS === undefined ? undefined : ((last.cpuS! - first.cpuS) / (last.atMs - first.atMs)) * 60_000,
      memory: memoryLoads(samples),
    }
  } finally {
    crowd?.close()
    await board.stop()
    await program.stop()
  }
}

type Counted = ReadonlyMap<string, number>
type MemoryName = 'heap' | 'rss' | 'engine' | 'start'
type Sample = { atMs: number; counted: Counted; memory: Readonly<Record<MemoryName, number | undefined>>; cpuS: number | undefined }

const dropped = 'reelpulse_board_streams_dropped_total'
const queries = 'reelpulse_panel_queries_total'

async function metricsOf(url: string): Promise<Counted> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

/** Over all labels. */
const total = (counted: Counted, name: string) =>
  Array.from(counted).reduce((sum, [series, value]) => (series === name || series.startsWith(`${name}{`) ? sum + value : sum), 0)

const questionsOf = (counted: Counted, board: string, panel: string) => counted.get(`${queries}{board="${board}",panel="${panel}"}`) ?? 0

/** A second, by series. */
async function questionsIn(url: string, ms: number): Promise<Counted> {
  const before = await metricsOf(url)
  const startedAt = performance.now()
  await sleep(ms)
  const after = await metricsOf(url)
  const seconds = (performance.now() - startedAt) / 1000
  return new Map(Array.from(after, ([series, value]) => [series, (value - (before.get(series) ?? 0)) / seconds]))
}

function panelLoads(samples: readonly Sample[], alone: Counted, asked: readonly string[]): PanelLoad[] {
  const watched = new Map<string, { board: string; panel: string; keys: Set<string>; browsers: number }>()
  for (const query of asked) {
    const wish = readWish(new URLSearchParams(query))
    if ('code' in wish) throw new Error(`a browser of the crowd asks for ${query}: ${wish.error}`)
    for (const [i, { name }] of wish.statements.entries()) {
      const one = watched.get(`${wish.info.uid} ${name}`) ?? { board: wish.info.uid, panel: name, keys: new Set(), browsers: 0 }
      one.keys.add(questionKey(wish, i, databaseOf(defaultSignalsTopic)))
      one.browsers++
      watched.set(`${wish.info.uid} ${name}`, one)
    }
  }
  return Array.from(watched.values(), ({ board, panel, keys, browsers }) => {
    const rate = (from: Sample, to: Sample) =>
      ((questionsOf(to.counted, board, panel) - questionsOf(from.counted, board, panel)) / (to.atMs - from.atMs) / keys.size) * 1000
    return {
      panel: `${board} ${panel}`,
      watched: keys.size,
      browsers,
      perSecond: rate(samples[0]!, samples.at(-1)!),
      mostPerSecond: Math.max(...samples.slice(1).map((sample, i) => rate(samples[i]!, sample))),
      alonePerSecond: questionsOf(alone, board, panel) / keys.size,
    }
  }).toSorted((a, b) => b.mostPerSecond - a.mostPerSecond)
}

const memoryNames: Readonly<Record<MemoryName, string>> = {
  heap: 'heap and buffers of serve after a full collection',
  rss: 'RSS of serve',
  engine: 'RSS of the engine',
  start: 'RSS of start (process, detect, traffic)',
}

function memoryLoads(samples: readonly Sample[]): MemoryLoad[] {
  return (Object.keys(memoryNames) as MemoryName[]).flatMap((name) => {
    const values = samples.flatMap(({ atMs, memory }) =>
      memory[name] === undefined ? [] : [{ minutes: atMs / 60_000, value: memory[name] / 2 ** 20 }],
    )
    if (values.length < 3) return []
    return [{ name: memoryNames[name], samplesMb: values.map(({ value }) => Math.round(value * 100) / 100), slope: slopeOf(values) }]
  })
}

/** In bytes, from /proc (Linux, pages of 4 KiB); undefined where there is none. */
function rssOf(pid: number | undefined): number | undefined {
  try {
    return pid === undefined ? undefined : Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4_096
  } catch {
    return undefined
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
