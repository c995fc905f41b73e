// Runs a program under strace, and reads what it did to files: which bytes it wrote where, what it synced, created, renamed.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

export type FileCall =
  | { does: 'open'; path: string; fd: string; create: boolean; truncate: boolean; append: boolean }
  | { does: 'write'; path: string; fd: string; at: number | undefined; bytes: Buffer }
  | { does: 'seek'; path: string; fd: string; at: number }
  | { does: 'truncate'; path: string; size: number }
  | { does: 'begin sync' | 'end sync'; thread: string; path: string }
  | { does: 'rename'; from: string; to: string; exchange: boolean }
  | { does: 'link'; from: string; to: string }
  | { does: 'symlink'; target: string; path: string }
  | { does: 'unlink' | 'mkdir' | 'rmdir'; path: string }
  /** What this reader cannot follow: a mapping that is written through, a copy within the kernel. */
  | { does: 'unseen'; call: string; path: string }
  /** A write to standard output that begins so, at the moment it begins. */
  | { does: 'mark'; text: string }
  /** The first line of an HTTP response, at the moment it begins to be written. */
  | { does: 'reply'; status: number }

const traced = [
  'openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,lseek,fsync,fdatasync,ftruncate,truncate,fallocate',
  'rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir',
  'mmap,copy_file_range,sendfile,splice,io_submit,sendto,sendmsg',
]
  .join(',')
  // Not every machine has the old ones.
  .replace(/\w+/g, '?$&')

const run = promisify(execFile)

/** Undefined where programs can be traced here, else what is missing. With REELPULSE_REQUIRE_BACKENDS=1 that is an error, not a reason to skip. */
export async function straceMissing(): Promise<string | undefined> {
  try {
    await run('strace', ['-f', '-y', '--seccomp-bpf', '-o', '/dev/null', 'true'])
    return undefined
  } catch (error) {
    const missing = `system calls are read with strace, which is not there or may not trace (${(error as Error).message.trim()})`
    if (process.env['REELPULSE_REQUIRE_BACKENDS'] === '1') throw new Error(`${missing}; REELPULSE_REQUIRE_BACKENDS=1 allows no skip`)
    return missing
  }
}

/** Runs `script`, an ES module, until it ends. Its marks: `writeSync(1, 'MARK …\n')`. */
export async function traceScript(script: string, traceFile: string): Promise<FileCall[]> {
  // prettier-ignore
  const options = ['-f', '-y', '--seccomp-bpf', '-s', '4000000', '-o', traceFile, '-e', `trace=${traced}`]
  const child = spawn('strace', [...options, process.execPath, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, UV_USE_IO_URING: '0', NODE_OPTIONS: '' },
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the traced program ended with ${code}`)
  const calls: FileCall[] = []
  // What a thread has begun and not ended.
  const begun = new Map<string, string>()
  for await (const line of createInterface({ input: createReadStream(traceFile, 'latin1') })) {
    const thread = line.slice(0, line.indexOf(' '))
    const text = line.slice(thread.length).trimStart()
    const resumed = /^<\.\.\. \w+ resumed>/.exec(text)
    if (resumed !== null) {
      const whole = (begun.get(thread) ?? '') + text.slice(resumed[0].length)
      begun.delete(thread)
      calls.push(...endOf(thread, whole))
    } else if (text.endsWith(' <unfinished ...>')) {
      const start = text.slice(0, -' <unfinished ...>'.length)
      begun.set(thread, start)
      calls.push(...beginOf(thread, start))
    } else calls.push(...beginOf(thread, text), ...endOf(thread, text))
  }
  return calls
}

/** What counts from the moment a call begins. */
function beginOf(thread: string, text: string): FileCall[] {
  const name = nameOf(text)
  if (name === 'fsync' || name === 'fdatasync') return [{ does: 'begin sync', thread, path: fdOf(text).path }]
  if (name !== 'write' && name !== 'writev' && name !== 'sendto' && name !== 'sendmsg') return []
  const { fd, path } = fdOf(text)
  if (fd === '1') {
    const mark = /^MARK (.*)\n$/.exec(stringsOf(text).bytes.toString('latin1'))
    return mark === null ? [] : [{ does: 'mark', text: mark[1]! }]
  }
  if (!path.startsWith('socket:')) return []
  const reply = /"HTTP\/1\.1 (\d+) /.exec(text.slice(0, 200))
  return reply === null ? [] : [{ does: 'reply', status: Number(reply[1]) }]
}

function endOf(thread: string, text: string): FileCall[] {
  const result = /\)\s+= (-?\d+)(?:<[^>]*>)?(?:\(deleted\))?(?: E[A-Z]+ \(.*\))?$/.exec(text.slice(-4_300))
  if (result === null || result[1] === '-1') return []
  const returned = Number(result[1])
  const name = nameOf(text)
  switch (name) {
    case 'open':
    case 'openat':
    case 'creat': {
      const { texts, rest } = stringsOf(text)
      const create = name === 'creat' || rest.includes('O_CREAT')
      const flags = { create, truncate: name === 'creat' || rest.includes('O_TRUNC'), append: rest.includes('O_APPEND') }
      return [{ does: 'open', path: absolute(text, texts[0]!), fd: String(returned), ...flags }]
    }
    case 'write':
    case 'writev':
    case 'pwrite64':
    case 'pwritev':
    case 'pwritev2': {
      const { fd, path } = fdOf(text)
      if (!path.startsWith('/')) return []
      const { bytes, rest } = stringsOf(text)
      if (bytes.length < returned) throw new Error(`strace shows ${bytes.length} of ${returned} bytes written to ${path}`)
      const offset = name === 'pwritev2' ? /, (\d+), \w+\)\s+= \d+$/ : /, (\d+)\)\s+= \d+$/
      const at = name.startsWith('p') ? Number(offset.exec(rest)![1]) : undefined
      return [{ does: 'write', path, fd, at, bytes: bytes.subarray(0, returned) }]
    }
    case 'lseek':
      return [{ does: 'seek', ...fdOf(text), at: returned }]
    case 'fsync':
    case 'fdatasync':
      return [{ does: 'end sync', thread, path: fdOf(text).path }]
    case 'ftruncate':
      return [{ does: 'truncate', path: fdOf(text).path, size: Number(/, (\d+)\)\s+= 0$/.exec(text)![1]) }]
    case 'rename':
    case 'renameat':
    case 'renameat2': {
      const { texts, rest } = stringsOf(text)
      return [
        { does: 'rename', from: absolute(text, texts[0]!), to: absolute(text, texts[1]!), exchange: rest.includes('RENAME_EXCHANGE') },
      ]
    }
    case 'symlink':
    case 'symlinkat': {
      const { texts } = stringsOf(text)
      return [{ does: 'symlink', target: texts[0]!, path: absolute(text, texts[1]!) }]
    }
    case 'unlink':
    case 'unlinkat':
    case 'mkdir':
    case 'mkdirat':
    case 'rmdir': {
      const { texts, rest } = stringsOf(text)
      const does = name.startsWith('mkdir') ? 'mkdir' : name === 'rmdir' || rest.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink'
      return [{ does, path: absolute(text, texts[0]!) }]
    }
    case 'mmap': {
      const mapped = /PROT_WRITE.*MAP_SHARED.*, \d+<([^>]*)>/.exec(text)
      return mapped === null ? [] : [{ does: 'unseen', call: 'a shared mapping', path: mapped[1]! }]
    }
    case 'link':
    case 'linkat': {
      const { texts } = stringsOf(text)
      return [{ does: 'link', from: absolute(text, texts[0]!), to: absolute(text, texts[1]!) }]
    }
    case 'truncate':
    case 'fallocate':
    case 'copy_file_range':
    case 'sendfile':
    case 'splice':
    case 'io_submit': {
      const path = [...text.matchAll(/\d+<(\/[^>]*)>/g)].at(-1)?.[1] ?? stringsOf(text).texts[0] ?? ''
      return [{ does: 'unseen', call: name, path }]
    }
    default:
      return []
  }
}

const nameOf = (text: string): string => text.slice(0, Math.max(0, text.indexOf('(')))

/** The call's first argument: a descriptor, and the path that strace shows for it; empty where the file has been removed. */
function fdOf(text: string): { fd: string; path: string } {
  const found = /^\w+\((\d+)<([^>]*)>(\(deleted\))?/.exec(text)
  if (found === null) return { fd: '', path: '' }
  return { fd: found[1]!, path: found[3] === undefined ? found[2]! : '' }
}

/** Programs here name their files from the root, or from the working directory. */
function absolute(text: string, path: string): string {
  if (path.startsWith('/')) return path
  return `${/^\w+\((?:AT_FDCWD|\d+)<([^>]*)>/.exec(text)?.[1] ?? process.cwd()}/${path}`
}

/** The quoted strings of a call's arguments, together as bytes and one by one; `rest` is what follows the last one. */
function stringsOf(text: string): { texts: string[]; bytes: Buffer; rest: string } {
  const parts: Buffer[] = []
  let restAt = 0
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', restAt)) {
    const bytes = Buffer.allocUnsafe(text.length - at)
    let length = 0
    let i = at + 1
    while (text[i] !== '"') {
      if (text[i] === '\\') {
        const [value, width] = escaped(text, i + 1)
        bytes[length++] = value
        i += 1 + width
      } else bytes[length++] = text.charCodeAt(i++)
    }
    parts.push(bytes.subarray(0, length))
    restAt = i + 1
  }
  return { texts: parts.map((part) => part.toString()), bytes: Buffer.concat(parts), rest: text.slice(restAt) }
}

const letters: Readonly<Record<string, number>> = { n: 10, t: 9, v: 11, f: 12, r: 13 }

/** strace's escapes: letters, one to three octal digits, `xHH`. The byte, and how many characters say it. */
function escaped(text: string, at: number): [value: number, width: number] {
  const octal = /^[0-7]{1,3}/.exec(text.slice(at, at + 3))
  if (octal !== null) return [Number.parseInt(octal[0], 8), octal[0].length]
  if (text[at] === 'x') return [Number.parseInt(text.slice(at + 1, at + 3), 16), 3]
  return [letters[text[at]!] ?? text.charCodeAt(at), 1]
}
