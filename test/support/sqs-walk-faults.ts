import type { Fault } from "../drivers/fault.ts";
import type { SqsModel } from "./sqs-model.ts";

/** The actions that the driver sends while it runs, by the permission that each of them needs. */
const actions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"] as const;

/**
 * Every way in which SQS fails a call of the driver and has done nothing: a permission is missing, single entries of a
 * batch fail, the service is away.
 */
export function sqsFaults(model: SqsModel): Fault[] {
  return [
    ...actions.map((action) => denied(model, action)),
    ...actions
      .filter((action) => action !== "ReceiveMessage")
      .flatMap((action) => [0, 1, 2].map((kind) => failedEntries(model, `${action}Batch`, kind))),
    outage(model),
  ];
}

function denied({ faults }: SqsModel, action: string): Fault {
  return {
    name: `${action} is denied`,
    begin() {
      faults.denied.add(action);
      return Promise.resolve(() => {
        faults.denied.delete(action);
        return Promise.resolve();
      });
    },
  };
}

/** @param kind 0: all entries fail. 1 and 2: one half or the other, told apart by what the entry is about. */
function failedEntries({ faults }: SqsModel, action: string, kind: number): Fault {
  const isMeant = (about: string): boolean =>
    kind === 0 || (about.charCodeAt(about.length - 1) + kind) % 2 === 0;
  return {
    name: `${kind === 0 ? "all" : "some"} entries of ${action} fail`,
    begin() {
      faults.failEntry = (asked, entry) =>
        asked === action && isMeant(String(entry["ReceiptHandle"] ?? entry["MessageBody"]))
          ? "InternalError"
          : null;
      return Promise.resolve(() => {
        faults.failEntry = null;
        return Promise.resolve();
      });
    },
  };
}

function outage({ faults }: SqsModel): Fault {
  return {
    name: "SQS is away",
    begin() {
      faults.outage = true;
      return Promise.resolve(() => {
        faults.outage = false;
        return Promise.resolve();
      });
    },
  };
}
