/** The studio's pages: which address shows what. */
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { AgentPage } from "./agents/AgentPage.tsx"
import { AgentsPage } from "./agents/AgentsPage.tsx"
import { ApprovalsPage } from "./agents/ApprovalsPage.tsx"
import { href, Link, useRoute } from "./app/Router.tsx"
import { Shell } from "./app/Shell.tsx"
import { startTheme } from "./app/Theme.ts"
import { project as loadProject } from "./data/Client.ts"
import { startNews, useConnected } from "./data/News.ts"
import { useLoaded } from "./data/useLoaded.ts"
import { EvalsPage } from "./evals/EvalsPage.tsx"
import { ReportPage } from "./evals/ReportPage.tsx"
import { ExecutionPage } from "./executions/ExecutionPage.tsx"
import { ExecutionsPage } from "./executions/ExecutionsPage.tsx"
import { FlowPage } from "./flows/FlowPage.tsx"
import { FlowsPage } from "./flows/FlowsPage.tsx"
import { TracePage } from "./traces/TracePage.tsx"
import { TracesPage } from "./traces/TracesPage.tsx"
import { PageHead } from "./ui/Page.tsx"
import { Empty, Failed, Loading } from "./ui/States.tsx"
import type { Project } from "../Api.ts"
import "./styles/tokens.css"
import "./styles/base.css"
import "./styles/shell.css"
import "./styles/controls.css"
import "./styles/overlays.css"
import "./styles/data.css"
import "./styles/values.css"
import "./styles/layout.css"
import "./styles/agents.css"
import "./styles/flows.css"
import "./styles/traces.css"
import "./styles/widths.css"

const Page = ({ project }: { readonly project: Project }) => {
  const { parts } = useRoute()
  const [place = "agents", one] = parts
  switch (place) {
    case "agents":
      return one === undefined ? <AgentsPage project={project} /> : <AgentPage key={one} name={one} project={project} />
    case "flows":
      return one === undefined ? <FlowsPage project={project} /> : <FlowPage key={one} path={one} project={project} />
    case "executions":
      return one === undefined ? (
        <ExecutionsPage project={project} />
      ) : (
        <ExecutionPage id={one} key={one} project={project} />
      )
    case "traces":
      return one === undefined ? <TracesPage /> : <TracePage id={one} key={one} />
    case "approvals":
      return <ApprovalsPage />
    case "evals":
      return one === undefined ? <EvalsPage /> : <ReportPage id={one} key={one} />
    default:
      return (
        <>
          <PageHead title="Not found" />
          <Empty title="There is no such page">
            <Link to={href([])}>To the agents</Link>
          </Empty>
        </>
      )
  }
}

const Studio = () => {
  const { error, reload, value } = useLoaded("project", loadProject)
  const isConnected = useConnected()
  return (
    <Shell project={value?.title ?? ""} version={value?.version ?? ""}>
      {isConnected || value === undefined ? null : (
        <p className="notice notice-wait" role="status">
          The server of the studio does not answer. Is <code>effigent studio</code> still running? This page goes on by
          itself.
        </p>
      )}
      {value !== undefined ? (
        <Page project={value} />
      ) : error === undefined ? (
        <Loading what="the project" />
      ) : (
        <Failed again={reload} message={error} what="The project" />
      )}
    </Shell>
  )
}

const place = document.getElementById("studio")
if (place !== null) {
  startTheme()
  startNews()
  createRoot(place).render(
    <StrictMode>
      <Studio />
    </StrictMode>
  )
}
