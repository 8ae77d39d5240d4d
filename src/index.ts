/** The public face of `statewarden`. Stores, breakers and test tools have entries of their own. */

export { createRuntime, type Runtime, type SpawnOptions } from './runtime.js';
export type { AgentRef } from './runtime/reference.js';
export type { PastEffects, PastState, PastTurn } from './runtime/history.js';
export type { HistoryPage, PastPage } from './runtime/past.js';
export type { JournalEntry } from './actors/entry.js';
export type {
  DeadLetter,
  DeadLetterDetails,
  DeadLetterGroup,
  DeadLetters,
  DeadLetterSelection,
  RedriveOptions,
  RedriveReport,
} from './supervisor/dead-letters.js';
export type { SupervisorRef, ChildOptions, StartProgress, SuperviseOptions } from './runtime/supervisor-ref.js';
export type { FleetRef, JobRef, ProgressOptions } from './runtime/fleet-ref.js';
export { fleet, type FleetSpec, type FleetSupervision } from './supervisor/fleet/spec.js';
export type { FleetOptions, JobBudget, JobRate } from './supervisor/fleet/options.js';
export type { FleetStatus, JobResult } from './supervisor/fleet/state.js';
export { supervisor } from './supervisor/spec.js';
export type { AutoShutdown, ChildSpec, RestartDelay, RestartType, Strategy, SupervisorSpec } from './supervisor/spec.js';
export type { ChildFailure, ChildStatus, SupervisorExit } from './supervisor/state.js';
export type { TreeNode } from './supervisor/tree.js';
export type { FailureReason } from './actors/failure.js';
export type { RuntimeBreakers } from './runtime/breakers-ref.js';
export type { ParkedFilter, ParkedReport, ParkedWork } from './runtime/parked-work.js';
export { logAlerts, webhookAlerts, type Alert, type AlertSink, type WebhookOptions } from './runtime/alerts.js';
export type { Hold, HoldFilter, PendingApproval, Signed } from './runtime/holds.js';
export type { RuntimeApprovals, RuntimeHolds, RuntimeSagas } from './runtime/people.js';
export type { Saga, SagaFilter, SagaReport, SagaStatus, SagaStep, SagaWork } from './runtime/sagas.js';
export { approvalsHandler, type ApprovalsHandlerOptions } from './runtime/approvals-handler.js';
export { wakeHandler, type WakeHandlerOptions } from './runtime/wake-handler.js';
export type { Peeked, RuntimeTools } from './runtime/tools.js';
export type { WakeOptions, Woken } from './runtime/wake.js';
export { DispatchError, inProcess, type Dispatcher, type WakeTask } from './effects/dispatch.js';
export type { Resolution } from './actors/operation.js';
export type { BudgetRef, BudgetStatus } from './runtime/budget-ref.js';
export type { BudgetDefinition } from './effects/budget/reducer.js';
export { spend, type Spending, type Spent } from './effects/budget/spend.js';
export type { ArchiveOptions } from './runtime/archive-options.js';
export type { KindRegistry, Limits, ResultOptions, RuntimeOptions } from './runtime/options.js';
export type { KindDefinition, PersistedSnapshot, PreviousVersion, TimerPolicy } from './actors/registration.js';
export {
  chartOf,
  type ChartActor,
  type ChartInvoke,
  type ChartState,
  type ChartTransition,
  type ChartTrigger,
  type MachineChart,
} from './actors/chart.js';
export type { CheckpointPolicy, CheckpointThresholds } from './actors/checkpoint-policy.js';
export type { Receipt } from './actors/draft.js';
export { askedBy, ephemeral, reply, spawnAgent, tell } from './actors/actions.js';
export { activity, type ActivityBudget, type ActivityContext, type ActivityDefinition, type ActivityLogic } from './effects/activity.js';
export { approval, type Approval, type ApprovalRequest } from './effects/approval.js';
export { ask, type Question } from './effects/ask.js';
export type { OnUnknown, Reconcile, Reconciled } from './effects/caution.js';
export { compensation, type CompensationInput, type CompensationLogic, type CompensationResult } from './effects/saga/compensation.js';
export type { Compensate, CompensationOptions } from './effects/saga/undoing.js';
export { HttpError } from './effects/http-error.js';
export { idempotentFetch, type FetchingRun, type HttpRequest, type IdempotentFetchOptions } from './effects/idempotent-fetch.js';
export { monitor, type Down, type Monitored } from './effects/monitor.js';
export type { ClassifyFailure, FailureClass } from './effects/failure-class.js';
export { builtInProfiles, type RetryProfile } from './effects/profiles.js';
export { TerminalError, type RetryPolicy } from './effects/retry.js';
export { memory } from './persistence/memory/index.js';
export type { Store } from './persistence/store.js';
export type { AlertEvent, RuntimeEvent } from './core/runtime-event.js';
export type { Clock, TimerHandle } from './core/clock.js';
export type { Random } from './core/random.js';
export {
  AgentArchivedError,
  AgentFailedError,
  AgentOwnedError,
  AgentStoppedError,
  AgentSuspendedError,
  ArtifactMissingError,
  BadEventError,
  BadInputError,
  BreakerOpenError,
  BudgetExhaustedError,
  CancelledError,
  CapabilityMissingError,
  CopyError,
  CorruptRecordError,
  DeadLetterError,
  DecryptionError,
  EndlessTurnError,
  EventTooLargeError,
  HungAgentError,
  InvariantViolationError,
  KeyFileError,
  KeyMissingError,
  KindConflictError,
  LeaseLostError,
  MailboxFullError,
  NotSerializableError,
  PortInUseError,
  ResultTooLargeError,
  RuntimeClosedError,
  SnapshotVersionError,
  StatewardenError,
  StoreNotEncryptedError,
  StoreMovedError,
  StoreOpenError,
  StorePoisonedError,
  StoreSchemaError,
  StoreUnavailableError,
  SupervisionError,
  TimeoutError,
  UnknownAgentError,
  UnknownBreakerError,
  UnknownBudgetError,
  UnknownKindError,
  UnsupportedMachineError,
  type Disposition,
} from './core/errors.js';
export {
  ApprovalExpiredError,
  CompensationFailedError,
  KeyConflictError,
  NoOutcomeError,
  NotHeldError,
  OutcomeUnknownError,
  PivotPassedError,
  ResolvedAsFailedError,
  UnknownOperationError,
} from './core/operation-errors.js';
