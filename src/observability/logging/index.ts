/** `statewarden/logging`: what a runtime tells, as lines that Cloud Logging reads. */

export { cloudLogging, type CloudLogging, type CloudLoggingOptions, type Lines } from './cloud-logging.js';
export { severityOf, type Severity } from './severity.js';
