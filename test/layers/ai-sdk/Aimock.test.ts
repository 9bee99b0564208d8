import { agrees } from "../wire/Aimock.ts"
import { overHttp } from "./provider.ts"

agrees((url) => overHttp(url))
