// Spans that measures of KPIs are made of.

/** Days that a registration's first week has: the zone's day of registration and those after it. */
export const firstWeekDays = 7
/** A play is of fresh content where that was published less than this before (ms). */
export const freshMs = 7 * 86_400_000
