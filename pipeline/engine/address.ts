// Where a data directory's engine is to be found: engine.json, which only its owner may read, because the secrets are in it.
import { createHash, randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

const credentials = z.object({ user: z.string(), password: z.string().min(16) })

const engineAddress = z.object({
  pid: z.int(),
  /** The process that starts the engine again when it dies. */
  supervisorPid: z.int(),
  /** The engine's Unix socket. */
  socketPath: z.string(),
  /** Where one was asked for: of `host`, else of the loopback interface. */
  port: z.int().optional(),
  host: z.string().optional(),
  owner: credentials,
  /** May only read: for Grafana. */
  reader: credentials,
})
export type EngineAddress = z.infer<typeof engineAddress>

export function addressPath(dataDir: string): string {
  return join(dataDir, 'engine.json')
}

/** Undefined where there is none, or none that can be read: a new one will be written. */
export function readAddress(dataDir: string): EngineAddress | undefined {
  try {
    return engineAddress.parse(JSON.parse(readFileSync(addressPath(dataDir), 'utf8')))
  } catch {
    return undefined
  }
}

export function writeAddress(dataDir: string, address: EngineAddress): void {
  const path = addressPath(dataDir)
  const draft = `${path}.${process.pid}`
  // Flushed: a power cut must not leave an empty file, and with it new secrets.
  try {
    writeFileSync(draft, `${JSON.stringify(address, null, 2)}\n`, { mode: 0o600, flush: true })
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/** Kept from one engine to the next, so that clients who know them stay connected. */
export function credentialsOf(previous: EngineAddress | undefined): Pick<EngineAddress, 'owner' | 'reader'> {
  if (previous !== undefined) return { owner: previous.owner, reader: previous.reader }
  const secret = (): string => randomBytes(24).toString('base64url')
  return { owner: { user: 'reelpulse', password: secret() }, reader: { user: 'reader', password: secret() } }
}

/** A socket's path may have about 107 bytes. */
const maxSocketPathBytes = 100

/** Where the data directory's own path is too long, its parent is still to be made: see makePrivate. */
export function socketPathOf(dataDir: string): string {
  const near = resolve(dataDir, 'engine.sock')
  return Buffer.byteLength(near) <= maxSocketPathBytes ? near : join(privatePath(tmpdir(), 'reelpulse', dataDir), 'engine.sock')
}

/** Memory-backed where the machine has it, then the directory for temporary files. Still to be made: see makePrivate. */
export function spoolDirectoriesOf(dataDir: string): string[] {
  // Glob characters in a path would be read as such.
  const roots = ['/dev/shm', tmpdir()].filter((root) => !/[*?{}[\]]/.test(root) && isDirectory(root))
  return roots.map((root) => privatePath(root, 'reelpulse-spool', dataDir))
}

/** The same for the same data directory, another for every user of the machine. */
function privatePath(root: string, prefix: string, dataDir: string): string {
  const digest = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 12)
  return join(root, `${prefix}-${userInfo().uid}-${digest}`)
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Of the endpoint, as this machine can ask it; undefined where no port was asked for. */
export function endpointUrl({ host = '127.0.0.1', port }: Pick<EngineAddress, 'host' | 'port'>): string | undefined {
  if (port === undefined) return undefined
  const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}

/** Makes a directory in a place where everyone may. Throws where someone else was there first. */
export function makePrivate(path: string): void {
  const { uid } = userInfo()
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const found = lstatSync(path)
  if (!found.isDirectory() || (uid >= 0 && found.uid !== uid)) throw new Error(`${path} belongs to someone else: remove it, or set TMPDIR`)
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
