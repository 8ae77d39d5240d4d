/** The scenarios, in the order of the report. */

import { capacityBrownOut, errorBrownOut } from './brown-outs.js';
import { fleetAlone, fleetOneSick, fleetShared } from './fleets.js';
import { hardOutage } from './hard-outage.js';
import { normalWeek } from './normal-week.js';
import { parking } from './parking.js';
import type { Scenario } from './scenario.js';

export const scenarios: readonly Scenario[] = [
  normalWeek,
  errorBrownOut,
  capacityBrownOut,
  hardOutage,
  fleetShared,
  fleetAlone,
  fleetOneSick,
  parking,
];
