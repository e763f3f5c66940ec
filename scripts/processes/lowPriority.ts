// Imported before a process that has time, so that those which measure it go first.
import { constants, setPriority } from "node:os"

setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
