import type { Stage } from './stage.js';
import type { Story } from './story.js';

/** One file each, and one line in `scenes.ts`. */
export interface Scene {
  readonly title: string;
  play(stage: Stage, story: Story): Promise<void>;
}
