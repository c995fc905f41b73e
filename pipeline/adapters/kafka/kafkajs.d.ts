// The parts of kafkajs 2.2.4 below its public interface that this adapter drives itself, as far as it uses them.

declare module 'kafkajs/src/cluster/index.js' {
  import type { Socket } from 'node:net'
  import type { ISocketFactory, Logger, RetryOptions, SASLOptions } from 'kafkajs'

  export type ProtocolRequest<T> = {
    request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<{ buf: Buffer; buffer: Buffer; size(): number }> }
    response: { decode(payload: Buffer): Promise<T & { clientSideThrottleTime?: number }>; parse(data: T): Promise<T> }
    requestTimeout?: number
  }
  export type Connection = {
    host: string
    port: number
    clientId: string
    socket: Socket
    isConnected(): boolean
    failIfNotConnected(): void
    isAuthenticated(): boolean
    authenticate(): Promise<void>
    nextCorrelationId(): number
    rejectRequests(error: Error): void
    requestQueue: {
      throttleCheckTimeoutId: NodeJS.Timeout | null
      push(request: {
        entry: {
          apiKey: number
          apiName: string
          apiVersion: number
          correlationId: number
          resolve: (response: { payload: Buffer }) => void
          reject: (error: Error) => void
        }
        expectResponse: boolean
        requestTimeout: number
        sendRequest: () => void
      }): void
      maybeThrottle(ms: number): void
    }
  }
  export type PartitionMetadata = { partitionId: number; leader: number; replicas: number[]; isr: number[] }
  export type TopicMetadata = { topic: string; partitionMetadata: PartitionMetadata[] }
  export type Broker = {
    nodeId: number
    versions: Record<number, { minVersion: number; maxVersion: number }> | null
    disconnect(): Promise<void>
    connectionPool: {
      host: string
      port: number
      pool: Connection[]
      getConnectionByRequest(request: { request: { apiKey: number } }): Promise<Connection>
    }
    listOffsets(request: {
      isolationLevel: number
      topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
    }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>
    joinGroup(request: {
      groupId: string
      sessionTimeout: number
      rebalanceTimeout: number
      memberId: string
      groupProtocols: { name: string; metadata: Buffer }[]
    }): Promise<{ generationId: number; leaderId: string; memberId: string; members: { memberId: string; memberMetadata: Buffer }[] }>
    syncGroup(request: {
      groupId: string
      generationId: number
      memberId: string
      groupAssignment: { memberId: string; memberAssignment: Buffer }[]
    }): Promise<{ memberAssignment: Buffer }>
    heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<void>
    leaveGroup(request: { groupId: string; memberId: string }): Promise<void>
    offsetCommit(request: {
      groupId: string
      groupGenerationId: number
      memberId: string
      topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
    }): Promise<void>
    initProducerId(request: {
      transactionalId?: string | undefined
      transactionTimeout: number
    }): Promise<{ producerId: string | number | bigint; producerEpoch: number }>
    addPartitionsToTxn(request: {
      transactionalId: string
      producerId: number
      producerEpoch: number
      topics: { topic: string; partitions: number[] }[]
    }): Promise<void>
    endTxn(request: { transactionalId: string; producerId: number; producerEpoch: number; transactionResult: boolean }): Promise<void>
  }

  export default class Cluster {
    constructor(options: {
      logger: Logger
      socketFactory: ISocketFactory
      brokers: string[]
      ssl?: unknown
      sasl?: SASLOptions | undefined
      clientId: string
      connectionTimeout: number
      authenticationTimeout: number
      requestTimeout: number
      metadataMaxAge: number
      retry: RetryOptions
      allowAutoTopicCreation: boolean
      isolationLevel: number
    })
    targetTopics: Set<string>
    brokerPool: {
      brokers: Record<string, Broker>
      seedBroker?: Broker
      metadata: { brokers: { nodeId: number }[]; topicMetadata: TopicMetadata[] } | null
      refreshMetadata(topics: string[]): Promise<void>
      findBroker(options: { nodeId: number | string }): Promise<Broker>
      findConnectedBroker(): Promise<Broker>
    }
    connect(): Promise<void>
    disconnect(): Promise<void>
    removeBroker(at: { host: string; port: number }): void
    findGroupCoordinator(options: { groupId: string; coordinatorType: number }): Promise<Broker>
  }
}

declare module 'kafkajs/src/network/connection.js' {
  export default class Connection {
    constructor(options: Record<string, unknown>)
    chunks: Buffer[]
    bytesBuffered: number
    bytesNeeded: number
    host: string
    port: number
    socket: import('node:net').Socket | undefined
    connect(): Promise<unknown>
    disconnect(): Promise<unknown>
    isConnected(): boolean
    authHandlers: unknown
    requestQueue: import('kafkajs/src/network/requestQueue/index.js').default
    processData(chunk: Buffer): void
    send<T>(request: import('kafkajs/src/cluster/index.js').ProtocolRequest<T>): Promise<T>
  }
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  type SocketRequest = {
    entry: { apiName: string }
    broker: string
    requestTimeout: number
    timeoutRequest: () => void
    timeoutHandler: () => void
    rejected(error: Error): void
  }
  export default class RequestQueue {
    pending: unknown[]
    inflight: Map<number, { entry: { apiKey: number } }>
    /** Ours; see connection.ts. */
    onTimeout?: () => void
    createSocketRequest(pushed: unknown): SocketRequest
    fulfillRequest(response: { size: number; correlationId: number; payload: Buffer }): void
    rejectAll(error: Error): void
    throttledUntil: number
    throttleCheckTimeoutId: NodeJS.Timeout | null
    scheduleCheckPendingRequests(): void
    checkPendingRequests(): void
  }
}

declare module 'kafkajs/src/loggers/index.js' {
  const loggers: { createLogger(options: { level: number; logCreator: import('kafkajs').logCreator }): import('kafkajs').Logger }
  export default loggers
}
