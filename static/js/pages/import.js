// Follows an import: progress, log, and the report once it has ended.
import { followPage } from "cvt/job-page";

followPage(document.getElementById("job"));
