// One program as a process of its own: started, killed, paused, stopped; its messages kept in a file. Started again where it ends by itself.
import { spawn, type ChildProcess } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { surroundings, type PartHandle } from './rig.ts'

export type Program = PartHandle & {
  /** Of its latest process (performance.now). */
  startedAt(): number
  /** Resolves when it says that it takes part, or after some seconds. */
  ready(): Promise<void>
  /** How often it woke up, or was heard again, after its partitions had become another's. */
  sessionsLost(): number
  /** Ends that nobody here caused, and errors that it told. */
  complaints(): string[]
  /** Resolves with what was not right about the end: undefined where it ended with code 0. */
  end(): Promise<string | undefined>
}

export type ProgramOptions = {
  name: string
  /** Words after the path of node. */
  words: readonly string[]
  env: Readonly<Record<string, string>>
  logFile: string
  /** Called for each process, before it can say anything. */
  onSpawn?: (child: ChildProcess) => void
}

const readyWithinMs = 20_000
const stopWithinMs = 60_000
const againMs = 300

export function program(options: ProgramOptions): Program {
  const { name, logFile } = options
  const complaints: string[] = []
  let child: ChildProcess | undefined
  let startedAt = -Infinity
  let gone: Promise<number | NodeJS.Signals | null> = Promise.resolve(0)
  let ready: Promise<void> = Promise.resolve()
  let takesPart = false
  let sessionsLost = 0
  /** Its end is meant. */
  let ending = true
  const keep = (text: string) => appendFileSync(logFile, text)

  function launch(): void {
    ending = false
    takesPart = false
    // A group of its own: a Ctrl-C at the terminal is for us, and we stop it in order. The channel ends it with us, however we end.
    const started = spawn(process.execPath, options.words, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      env: { ...surroundings(), ...options.env, REELPULSE_LAUNCHED: '1' },
    })
    child = started
    startedAt = performance.now()
    keep(`--- ${new Date().toISOString()} started as process ${started.pid}\n`)
    options.onSpawn?.(started)
    let tail = ''
    let isReady = () => {}
    ready = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, readyWithinMs)
      isReady = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    started.stdout!.setEncoding('utf8').on('data', keep)
    started.stderr!.setEncoding('utf8').on('data', (text: string) => {
      keep(text)
      const lines = (tail + text).split('\n')
      tail = lines.pop()!
      for (const line of lines) {
        if (line.includes('"msg":"processing"')) {
          if (child === started) takesPart = true
          isReady()
        }
        if (line.includes('giving up partitions')) sessionsLost++
        if (line.includes('"level":"error"')) complaints.push(`${name}: ${line}`)
      }
    })
    gone = new Promise((resolve) => {
      const done = (how: number | NodeJS.Signals | null) => {
        isReady()
        keep(`--- ${new Date().toISOString()} ended: ${how}\n`)
        resolve(how)
        if (ending || child !== started) return
        complaints.push(`${name} ended by itself with ${how}, process ${started.pid}: its last words are in ${logFile}`)
        setTimeout(() => {
          if (!ending && child === started) launch()
        }, againMs)
      }
      // Not 'close': an orphan of it may hold its pipes.
      started.once('exit', (code, signal) => done(signal ?? code))
      started.once('error', () => done(null))
    })
  }

  async function end(): Promise<string | undefined> {
    ending = true
    child?.kill('SIGTERM')
    const timer = setTimeout(() => {
      complaints.push(`${name} did not stop within ${stopWithinMs / 1000} s of SIGTERM`)
      child?.kill('SIGKILL')
    }, stopWithinMs)
    const how = await gone
    clearTimeout(timer)
    // Before it listens to signals, as Node still starts, it has nothing to finish.
    return how === 0 || (how === 'SIGTERM' && !takesPart) ? undefined : `${name} ended with ${how} after SIGTERM`
  }

  return {
    startedAt: () => startedAt,
    ready: () => ready,
    sessionsLost: () => sessionsLost,
    complaints: () => complaints,
    end,
    start() {
      launch()
      return Promise.resolve()
    },
    async signal(signal) {
      if (signal === 'SIGTERM') {
        const wrong = await end()
        if (wrong !== undefined) complaints.push(wrong)
        return
      }
      if (signal === 'SIGKILL') ending = true
      child?.kill(signal)
      if (signal === 'SIGKILL') await gone
    },
  }
}

/** Of several programs, the one whose process is the youngest. */
export const youngest = (programs: readonly Program[]): Program => programs.toSorted((a, b) => b.startedAt() - a.startedAt())[0]!
