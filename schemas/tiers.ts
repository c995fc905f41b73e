/** The ladder's rungs, lowest first. Their rules are data in operators/tiers/ladder.ts. */
export const tiers = ['prospect', 'new', 'active', 'paying', 'loyal'] as const
export type Tier = (typeof tiers)[number]
