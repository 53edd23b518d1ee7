/** How a way to a site stands; `Idle` while nothing is known of it. */
export type SiteState = 'Up' | 'Degraded' | 'Down' | 'Idle';
