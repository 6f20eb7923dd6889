/** What a call is for, as messages name it. */
export type Operation =
  | "examining the queue"
  | "leasing"
  | "renewing the rank"
  | "waiting for jobs"
  | "leaving the waiters"
  | "settling"
  | "extending"
  | "enqueueing"
  | "counting"
  | "counting parked jobs"
  | "counting dead letters"
  | "pausing"
  | "resuming"
  | "listing dead letters"
  | "redriving"
  | "removing a dead letter"
  | "looking after dead letters";
