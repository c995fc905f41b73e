// The simulated machine room: one clock, one queue of what is yet to happen, processes that can be killed and paused, and
// calls over a network that can lose either half of a call. Everything happens in one order, which the seed decides.
import type { Clock } from '../ports/clock.ts'
import type { Chance } from './chance.ts'

export type World = {
  /** ms; moves only between events. */
  now(): number
  /** Runs `what` after `delayMs`; events of one instant run in the order in which they were planned. */
  after(delayMs: number, what: () => void): void
  /** Runs events until `isDone`, or until the clock passes `untilMs`. True where it was done. */
  run(isDone: () => boolean, untilMs: number): Promise<boolean>
  events(): number
}

/** A process of the simulation: what it hears comes through here, so that it can be made deaf (paused) or dead. */
export type Host = {
  readonly name: string
  state(): 'running' | 'paused' | 'dead'
  /** kill -9: it hears nothing more. What it has sent is on its way all the same. */
  kill(): void
  /** SIGSTOP, and SIGCONT: what came meanwhile is heard in its order. */
  pause(): void
  resume(): void
  /** Since when it has been neither paused nor dead; Infinity where it is one of them. */
  runningSince(): number
  hear(what: () => void): void
  /** The process's own clock, which may be wrong by `skewMs`. */
  clock: Clock
  skew(ms: number): void
}

export type CallFault =
  /** It arrives and is answered. */
  | 'none'
  /** It is refused at once: no effect. */
  | 'refused'
  /** It is lost on its way: no effect, and an error once the caller's patience ends. */
  | 'request lost'
  /** It takes effect; an error, once the caller's patience ends or at once. */
  | 'reply lost'
  /** An error comes first, the effect after it. */
  | 'late'

export type Network = {
  /** One call of a process to a server. `fault` is drawn when it is sent; `effect` runs at the server, and may throw. */
  call<T>(host: Host, fault: CallFault, effect: () => T, failure: (why: string) => Error): Promise<T>
}

/** Nobody waits for it any more. */
const never = <T>(): Promise<T> => new Promise(() => {})

export function world(startMs: number): World {
  let now = startMs
  let planned = 0
  let ran = 0
  // A binary heap by (at, order).
  const heap: { at: number; order: number; what: () => void }[] = []
  const before = (a: number, b: number) => heap[a]!.at < heap[b]!.at || (heap[a]!.at === heap[b]!.at && heap[a]!.order < heap[b]!.order)
  const swap = (a: number, b: number) => ([heap[a], heap[b]] = [heap[b]!, heap[a]!])

  function pop() {
    const first = heap[0]
    const last = heap.pop()
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last
      for (let i = 0; ;) {
        let least = i
        for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && before(child, least)) least = child
        if (least === i) break
        swap(i, least)
        i = least
      }
    }
    return first
  }

  return {
    now: () => now,
    events: () => ran,
    after(delayMs, what) {
      heap.push({ at: now + Math.max(0, Math.round(delayMs)), order: planned++, what })
      for (let i = heap.length - 1; i > 0;) {
        const parent = (i - 1) >> 1
        if (!before(i, parent)) break
        swap(i, parent)
        i = parent
      }
    },
    async run(isDone, untilMs) {
      while (!isDone()) {
        const event = pop()
        if (event === undefined || event.at > untilMs) return false
        now = event.at
        ran++
        event.what()
        // All promises that the event settled run before the next one.
        await new Promise((resolve) => setImmediate(resolve))
      }
      return true
    },
  }
}

export function host(world: World, name: string): Host {
  let state: ReturnType<Host['state']> = 'running'
  let since = world.now()
  let waiting: (() => void)[] = []
  let skewMs = 0

  function hear(what: () => void): void {
    if (state === 'dead') return
    if (state === 'paused') waiting.push(what)
    else what()
  }

  return {
    name,
    state: () => state,
    runningSince: () => (state === 'running' ? since : Infinity),
    hear,
    kill() {
      state = 'dead'
      waiting = []
    },
    pause() {
      if (state === 'running') state = 'paused'
    },
    resume() {
      if (state !== 'paused') return
      state = 'running'
      since = world.now()
      const heard = waiting
      waiting = []
      // One after the other, as one process would: each with its promises run before the next.
      for (const what of heard) world.after(0, () => hear(what))
    },
    skew(ms) {
      skewMs = ms
    },
    clock: {
      now: () => world.now() + skewMs,
      sleep(ms, signal) {
        if (state === 'dead') return never()
        return new Promise((resolve, reject) => {
          if (signal?.aborted === true) return reject(signal.reason as Error)
          signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
          world.after(ms, () => hear(resolve))
        })
      },
    },
  }
}

/** `patienceMs`: after so long a caller gives up. */
export function network(world: World, chance: Chance, patienceMs: number): Network {
  /** Mostly quick; now and then as slow as patience allows. */
  const latency = () => (chance.is(0.03) ? chance.between(50, patienceMs / 4) : chance.between(1, 12))
  return {
    call<T>(host: Host, fault: CallFault, effect: () => T, failure: (why: string) => Error): Promise<T> {
      if (host.state() === 'dead') return never()
      return new Promise<T>((resolve, reject) => {
        const there = latency()
        const back = latency()
        const fail = (afterMs: number, why: string) => world.after(afterMs, () => host.hear(() => reject(failure(why))))
        const take = (): (() => void) => {
          try {
            const result = effect()
            return () => resolve(result)
          } catch (error) {
            return () => reject(error as Error)
          }
        }
        switch (fault) {
          case 'none':
            return world.after(there, () => {
              const reply = take()
              world.after(back, () => host.hear(reply))
            })
          case 'refused':
            return fail(there, 'refused')
          case 'request lost':
            return fail(patienceMs, 'no answer')
          case 'reply lost':
            world.after(there, take)
            return fail(chance.is(0.5) ? there + back : patienceMs, 'the reply was lost')
          case 'late':
            world.after(patienceMs + chance.between(1, patienceMs * 2), take)
            return fail(patienceMs, 'no answer in time')
        }
      })
    },
  }
}
