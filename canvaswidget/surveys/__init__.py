"""Surveys: the same measurements of many networks, made by many workers, in one store."""

from canvaswidget.surveys.collection import Survey
from canvaswidget.surveys.estimating import SurveyEstimate, estimate_survey
from canvaswidget.surveys.job import Job
from canvaswidget.surveys.job_lists import training_jobs
from canvaswidget.surveys.places import InUseError
from canvaswidget.surveys.store import SurveyError
from canvaswidget.surveys.survey import survey

__all__ = [
    "InUseError",
    "Job",
    "Survey",
    "SurveyError",
    "SurveyEstimate",
    "estimate_survey",
    "survey",
    "training_jobs",
]
