// Puts the view on the terminal: redrawn in place where there is one, else a line now and then.
import { progressBar, screen, statusLine, type ViewFacts } from './view.ts'
import type { Snapshot } from './progress.ts'

export type Terminal = {
  show(snapshot: Snapshot): void
  /** A line that stays. */
  say(line: string): void
  close(): void
}

const redrawMs = 500
const lineMs = 5_000

export type TerminalOptions = {
  out: NodeJS.WriteStream
  facts(): ViewFacts
  /** Draws a progress bar up to this many events instead of the screen. */
  barTo?: number | undefined
  snapshot(): Snapshot
}

/** Begins to show snapshots, until `close`. */
export function terminal(options: TerminalOptions): Terminal {
  const { out, facts, barTo } = options
  const live = out.isTTY
  let drawn = 0

  const erase = () => {
    if (drawn > 0) out.write(`\u001b[${drawn}A\u001b[0J`)
    drawn = 0
  }
  const draw = (lines: readonly string[]) => {
    erase()
    out.write(`${lines.join('\n')}\n`)
    drawn = lines.length
  }
  const show = (snapshot: Snapshot) => {
    const width = out.columns || 160
    if (barTo !== undefined && live) draw([progressBar(snapshot.events + snapshot.duplicates, barTo, snapshot.eventsPerSecond, width)])
    else if (barTo !== undefined) out.write(`${progressBar(snapshot.events + snapshot.duplicates, barTo, snapshot.eventsPerSecond, 160)}\n`)
    else if (live) draw(screen(snapshot, facts(), width, out.rows || 50))
    else out.write(`${statusLine(snapshot, facts())}\n`)
  }
  const timer = setInterval(() => show(options.snapshot()), live ? redrawMs : lineMs)
  // The view alone keeps no program running.
  timer.unref()
  return {
    show,
    say(line) {
      erase()
      out.write(`${line}\n`)
    },
    close() {
      clearInterval(timer)
    },
  }
}
