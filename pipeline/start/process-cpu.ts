// CPU that another process has used, as the system tells it.
import { readFileSync } from 'node:fs'

/** User and system seconds so far, from /proc (Linux, 100 ticks a second); undefined where there is none. */
export function cpuSecondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return undefined
  }
}
