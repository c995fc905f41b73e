// Something that goes wrong on purpose: what people do less of, in one channel, for a while.

export const incidentKpis = ['completion', 'click_through', 'interaction', 'conversion'] as const
export type IncidentKpi = (typeof incidentKpis)[number]

export type Incident = {
  /** undefined: every channel. */
  readonly channel?: string
  readonly kpi: IncidentKpi
  /** In (0, 1]: the share by which its probability falls. */
  readonly drop: number
  /** By the true time of the event: [fromMs, toMs). */
  readonly fromMs: number
  readonly toMs: number
}
