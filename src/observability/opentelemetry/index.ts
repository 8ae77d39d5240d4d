/** `statewarden/opentelemetry`: traces and metrics through `@opentelemetry/api`. */

export { openTelemetry, type MeterSource, type OpenTelemetryOptions, type TracerSource } from './open-telemetry.js';
export type { OpenTelemetry, Telemetry, TelemetrySource } from '../telemetry.js';
