// A disk that forgets: it follows a program's file calls, and shows what a power cut would leave at that moment. The rules are POSIX's, no file
// system's: a file's bytes are there for sure once the file was synced, its name once its directory was.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileCall } from './syscalls.ts'

type FileOp = { at: number; bytes: Buffer } | { size: number }
type File = { kind: 'file'; ops: FileOp[]; synced: number; size: number }
/** Names that change in one step. */
type FolderOp = readonly (readonly [name: string, node: Node | undefined])[]
type Folder = { kind: 'folder'; names: Map<string, Node>; ops: FolderOp[]; synced: number }
type Link = { kind: 'link'; target: string }
type Node = File | Folder | Link

/**
 * What is kept beyond what was synced: nothing; all bytes, but no names; or what chance lets through: of writes, pieces of `tear` bytes, of names those
 * up to some moment in each directory.
 */
export type Kept = 'synced only' | 'bytes' | { random: () => number; tear: number }

export type SimulatedDisk = {
  apply(call: FileCall): void
  /** Paths under the root whose bytes or name a power cut could take now. */
  unsynced(): string[]
  /** Writes what a power cut leaves now into `directory`, which stands for the root. */
  image(directory: string, kept: Kept): void
}

/** `root` is a directory that is there, and durable, before the program starts. */
export function simulatedDisk(root: string): SimulatedDisk {
  const top = folder()
  const syncing = new Map<string, { node: File | Folder; upTo: number }>()
  const positions = new Map<string, { file: File; at: number }>()

  /** The path's names below the root; undefined where it lies elsewhere. */
  const namesOf = (path: string): string[] | undefined => {
    if (path !== root && !path.startsWith(`${root}/`)) return undefined
    return path.slice(root.length).split('/').filter((name) => name !== '')
  } // prettier-ignore

  const at = (names: readonly string[]): Node | undefined => {
    let node: Node | undefined = top
    const walked: string[] = []
    for (const name of names) {
      if (node?.kind === 'link') {
        const target = join('/', ...walked.slice(0, -1), node.target)
        node = at(target.split('/').filter((part) => part !== ''))
      }
      if (node?.kind !== 'folder') return undefined
      node = node.names.get(name)
      walked.push(name)
    }
    return node
  }

  const parentOf = (names: readonly string[]): { parent: Folder; name: string } => {
    const parent = at(names.slice(0, -1))
    if (parent?.kind !== 'folder') throw new Error(`no directory for ${names.join('/')}`)
    return { parent, name: names.at(-1)! }
  }

  const put = (parent: Folder, op: FolderOp): void => {
    rename(parent.names, op)
    parent.ops.push(op)
  }

  const putAt = (names: readonly string[], node: Node | undefined): void => {
    const { parent, name } = parentOf(names)
    put(parent, [[name, node]])
  }

  const fileAt = (path: string): File | undefined => {
    const names = namesOf(path)
    const node = names === undefined ? undefined : at(names)
    return node?.kind === 'file' ? node : undefined
  }

  const change = (file: File, op: FileOp): void => {
    file.ops.push(op)
    file.size = 'bytes' in op ? Math.max(file.size, op.at + op.bytes.length) : op.size
  }

  return {
    apply(call) {
      switch (call.does) {
        case 'open': {
          const names = namesOf(call.path)
          if (names === undefined) return
          if (at(names) === undefined && call.create) putAt(names, { kind: 'file', ops: [], synced: 0, size: 0 })
          const file = fileAt(call.path)
          if (file === undefined) return
          if (call.truncate && file.size > 0) change(file, { size: 0 })
          positions.set(call.fd, { file, at: call.append ? Infinity : 0 })
          return
        }
        case 'seek': {
          const file = fileAt(call.path)
          if (file !== undefined) positions.set(call.fd, { file, at: call.at })
          return
        }
        case 'write': {
          const file = fileAt(call.path)
          if (file === undefined) return
          if (call.at !== undefined) return change(file, { at: call.at, bytes: call.bytes })
          const position = positions.get(call.fd)
          if (position?.file !== file) throw new Error(`a write to ${call.path}, of which no position is known`)
          const from = Math.min(position.at, file.size)
          change(file, { at: from, bytes: call.bytes })
          if (position.at !== Infinity) position.at = from + call.bytes.length
          return
        }
        case 'truncate': {
          const file = fileAt(call.path)
          if (file !== undefined) change(file, { size: call.size })
          return
        }
        case 'begin sync': {
          const names = namesOf(call.path)
          const node = names === undefined ? undefined : at(names)
          if (node !== undefined && node.kind !== 'link') syncing.set(call.thread, { node, upTo: node.ops.length })
          return
        }
        case 'end sync': {
          // What was written while it ran need not be in it.
          const begun = syncing.get(call.thread)
          syncing.delete(call.thread)
          if (begun !== undefined) begun.node.synced = Math.max(begun.node.synced, begun.upTo)
          return
        }
        case 'rename': {
          const [from, to] = [namesOf(call.from), namesOf(call.to)]
          if (from === undefined || to === undefined) return
          const [source, target] = [parentOf(from), parentOf(to)]
          if (source.parent !== target.parent) throw new Error(`${call.from} is renamed into another directory: not modelled`)
          put(target.parent, [[target.name, at(from)], [source.name, call.exchange ? at(to) : undefined]]) // prettier-ignore
          return
        }
        case 'link': {
          const [from, to] = [namesOf(call.from), namesOf(call.to)]
          if (from !== undefined && to !== undefined) putAt(to, at(from))
          return
        }
        case 'symlink':
        case 'mkdir':
        case 'rmdir':
        case 'unlink': {
          const names = namesOf(call.path)
          if (names === undefined || names.length === 0) return
          putAt(names, call.does === 'symlink' ? { kind: 'link', target: call.target } : call.does === 'mkdir' ? folder() : undefined)
          return
        }
        case 'unseen':
          // SQLite's index of its write-ahead log; it makes it anew after a crash.
          if (namesOf(call.path) !== undefined && !call.path.endsWith('-shm'))
            throw new Error(`${call.call} on ${call.path} is not in the trace`)
          return
        case 'mark':
        case 'reply':
          return
      }
    },
    unsynced() {
      const found: string[] = []
      const visit = (node: Node, path: string): void => {
        if (node.kind === 'link') return
        if (node.kind === 'file') {
          if (node.synced < node.ops.length && path !== '') found.push(path)
          return
        }
        const durable = namesAt(node, node.synced)
        for (const name of new Set([...durable.keys(), ...node.names.keys()])) {
          const below = path === '' ? name : `${path}/${name}`
          if (durable.get(name) !== node.names.get(name)) found.push(`${below} (its name)`)
        }
        for (const [name, child] of node.names) visit(child, path === '' ? name : `${path}/${name}`)
      }
      visit(top, '')
      return found
    },
    image(directory, kept) {
      const write = (node: Node, path: string): void => {
        if (node.kind === 'link') return symlinkSync(node.target, path)
        if (node.kind === 'file') return writeFileSync(path, bytesOf(node, kept))
        mkdirSync(path, { recursive: true })
        const upTo = typeof kept === 'string' ? node.synced : node.synced + Math.floor(kept.random() * (node.ops.length - node.synced + 1))
        for (const [name, child] of namesAt(node, upTo)) write(child, join(path, name))
      }
      write(top, directory)
    },
  }
}

const folder = (): Folder => ({ kind: 'folder', names: new Map(), ops: [], synced: 0 })

function rename(names: Map<string, Node>, op: FolderOp): void {
  for (const [name, node] of op) {
    if (node === undefined) names.delete(name)
    else names.set(name, node)
  }
}

function namesAt({ ops }: Folder, upTo: number): Map<string, Node> {
  const names = new Map<string, Node>()
  for (const op of ops.slice(0, upTo)) rename(names, op)
  return names
}

/** The synced bytes, and where more is kept, those pieces of later writes that chance lets through; holes are zeros. */
function bytesOf(file: File, kept: Kept): Buffer {
  let size = 0
  const bytes = Buffer.alloc(file.ops.reduce((most, op) => Math.max(most, 'bytes' in op ? op.at + op.bytes.length : op.size), 0))
  const write = (at: number, piece: Buffer): void => {
    piece.copy(bytes, at)
    size = Math.max(size, at + piece.length)
  }
  file.ops.forEach((op, i) => {
    const isSynced = i < file.synced
    if (!isSynced && (kept === 'synced only' || (kept !== 'bytes' && kept.random() < 0.4))) return
    if (!('bytes' in op)) {
      bytes.fill(0, op.size)
      size = op.size
    } else if (isSynced || typeof kept === 'string' || kept.random() < 0.3) write(op.at, op.bytes)
    else {
      for (let from = op.at; from < op.at + op.bytes.length;) {
        const to = Math.min(op.at + op.bytes.length, (Math.floor(from / kept.tear) + 1) * kept.tear)
        if (kept.random() < 0.5) write(from, op.bytes.subarray(from - op.at, to - op.at))
        from = to
      }
    }
  })
  return bytes.subarray(0, size)
}
